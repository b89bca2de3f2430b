"""Names with the shape of real ones: few that are very common, thousands that are rare, typos of each of them.

Common ones are written out, the rest is put together from syllables; how often the i-th is drawn falls as 1/(i + c).
"""

import numpy as np
import numpy.typing as npt

_COMMON_GIVEN = (
    "James Mary Robert Patricia John Jennifer Michael Linda William Elizabeth David Barbara Richard Susan Joseph "
    "Jessica Thomas Sarah Charles Karen Christopher Lisa Daniel Nancy Matthew Margaret Anthony Sandra Mark Ashley "
    "Donald Emily Steven Kimberly Andrew Deborah Paul Michelle Joshua Carol Kenneth Amanda Kevin Melissa Brian "
    "Dorothy George Rebecca Timothy Sharon Ronald Laura Edward Cynthia Jason Amy Jeffrey Kathleen Ryan Angela "
    "Jacob Shirley Gary Brenda Nicholas Emma Eric Anna Jonathan Pamela Stephen Nicole Larry Samantha Justin "
    "Katherine Scott Christine Brandon Helen Benjamin Debra Samuel Rachel Gregory Carolyn Alexander Janet Patrick "
    "Maria Frank Olivia Raymond Heather Jack Catherine Dennis Diane Jerry Julie Tyler Victoria Aaron Joyce Jose "
    "Lauren Adam Kelly Nathan Christina Henry Joan Zachary Evelyn"
)
_COMMON_FAMILY = (
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson "
    "Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis "
    "Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera "
    "Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart "
    "Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim "
    "Cox Ward Richardson Watson Brooks Chavez Wood Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo "
    "Sanders Patel Myers Long Ross Foster Jimenez Powell"
)
NICKNAMES = {
    "James": "Jim", "Robert": "Bob", "Patricia": "Patty", "Jennifer": "Jen", "Michael": "Mike", "William": "Bill",
    "Elizabeth": "Liz", "David": "Dave", "Barbara": "Barb", "Richard": "Rick", "Susan": "Sue", "Joseph": "Joe",
    "Jessica": "Jess", "Thomas": "Tom", "Charles": "Charlie", "Christopher": "Chris", "Daniel": "Dan",
    "Matthew": "Matt", "Margaret": "Peggy", "Anthony": "Tony", "Donald": "Don", "Steven": "Steve",
    "Kimberly": "Kim", "Andrew": "Andy", "Deborah": "Debbie", "Joshua": "Josh", "Kenneth": "Ken",
    "Dorothy": "Dot", "Rebecca": "Becky", "Timothy": "Tim", "Ronald": "Ron", "Edward": "Ed", "Cynthia": "Cindy",
    "Jeffrey": "Jeff", "Kathleen": "Kathy", "Nicholas": "Nick", "Stephen": "Steve", "Samantha": "Sam",
    "Katherine": "Kate", "Benjamin": "Ben", "Samuel": "Sam", "Gregory": "Greg", "Alexander": "Alex",
    "Patrick": "Pat", "Raymond": "Ray", "Catherine": "Cathy", "Victoria": "Vicky", "Nathan": "Nate",
    "Zachary": "Zach",
}  # fmt: skip

_HEADS = (
    "Al Bar Bel Bren Cal Car Cor Dal Del Dor El Fal Fen Gar Gil Hal Har Hol Jan Kal Kel Kor Lan Lin Lor Mal Mar Mel"
)
_HEADS += " Mor Nor Or Pel Per Quin Ral Rav Ros San Sel Sil Tal Tam Ter Tor Val Var Ves Wal Wen Yar Zan"
_MIDDLES = "a an ar e el en er i il in ir o ol on or u ul um ur ya"
_FAMILY_TAILS = (
    "berg by combe croft dale den don feld ford gate ham hart haven land ley man mere mont more ner ridge sen"
)
_FAMILY_TAILS += " shaw son stead ston ter ton vale ville ward well wick wood worth"
_GIVEN_TAILS = (
    "a ah an beth da dan dor ette fin ia ian ie is la lan len lia lin lo mar na nan nor ra ric ron sa ta ton vin"
)

N_GIVEN, N_FAMILY = 1_500, 8_000
VARIANTS = 8
"""Typos prepared for each name; a typo in a record is a pick among them."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Strings = npt.NDArray[np.object_]


def _made_up(heads: str, tails: str, count: int, common: list[str]) -> list[str]:
    names = dict.fromkeys(common)
    parts = [(h + m + t) for m in _MIDDLES.split() for t in tails.split() for h in heads.split()]
    step = 7_919  # prime, so that a walk by it visits all parts in mixed order
    for i in range(len(parts)):
        names.setdefault(parts[i * step % len(parts)].capitalize())
        if len(names) == count:
            break
    return list(names)


GIVEN = _made_up(_HEADS, _GIVEN_TAILS, N_GIVEN, _COMMON_GIVEN.split())
FAMILY = _made_up(_HEADS, _FAMILY_TAILS, N_FAMILY, _COMMON_FAMILY.split())


def cumulative(count: int, flat: float) -> npt.NDArray[np.float64]:
    """Cumulative shares of ranks 0..count-1, the i-th weighing 1/(i + flat): Zipf with a flattened top.

    flat 12 gives the commonest of 8,000 surnames 1.3 %, as the commonest one in the US has about 1 %.
    """
    weights = 1.0 / (np.arange(count) + flat)
    return np.asarray(np.cumsum(weights) / weights.sum())


GIVEN_SHARES, FAMILY_SHARES = cumulative(N_GIVEN, 8), cumulative(N_FAMILY, 12)


def _typo(name: str, u: npt.NDArray[np.float64]) -> str:
    """One slip of the finger: a letter lost, doubled, replaced, or two exchanged. Never the name itself."""
    at, kind, letter = int(u[0] * len(name)), int(u[1] * 4), _LETTERS[int(u[2] * 26)]
    at = min(at, len(name) - 2) if kind == 3 else at
    slips = (
        name[:at] + name[at + 1 :],
        name[:at] + name[at] + name[at:],
        name[:at] + letter + name[at + 1 :],
        name[:at] + name[at + 1] + name[at] + name[at + 2 :] if kind == 3 else "",
    )
    slip = slips[kind]
    return slip if slip != name else name + letter


def typos(names: list[str]) -> Strings:
    """VARIANTS typos of each name, one after another: the k-th of name i is at i * VARIANTS + k."""
    draws = np.random.Generator(np.random.PCG64(len(names))).random((len(names) * VARIANTS, 3))
    return np.array([_typo(names[i // VARIANTS], draws[i]) for i in range(len(draws))], dtype=object)
