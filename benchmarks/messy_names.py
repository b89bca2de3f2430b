"""Names as the five systems may write them: plain, mistyped, short, one letter, in their own letters."""

import numpy as np
import pyarrow as pa

from benchmarks import names

# Greek, Cyrillic, Arabic, Chinese: given and family names in their own letters, and in Latin as their bearers do.
_SCRIPTS = (
    (("Γιώργος Giorgos", "Ελένη Eleni", "Νίκος Nikos", "Μαρία Maria", "Κώστας Kostas", "Σοφία Sofia"),
     ("Παπαδόπουλος Papadopoulos", "Νικολαΐδης Nikolaidis", "Καρράς Karras", "Γεωργίου Georgiou", "Ιωάννου Ioannou")),
    (("Дмитрий Dmitrii", "Светлана Svetlana", "Иван Ivan", "Ольга Olga", "Андрей Andrei", "Наталья Natalia"),
     ("Соколов Sokolov", "Морозов Morozov", "Иванов Ivanov", "Кузнецов Kuznetsov", "Попов Popov")),
    (("محمد Mohamed", "فاطمة Fatima", "كريم Karim", "ليلى Layla", "حسن Hassan", "سارة Sara"),
     ("منصور Mansour", "حداد Haddad", "نصار Nassar", "خوري Khoury", "عباس Abbas")),
    (("伟 Wei", "静 Jing", "敏 Min", "强 Qiang", "丽 Li", "洋 Yang"),
     ("林 Lin", "高 Gao", "王 Wang", "李 Li", "张 Zhang")),
)  # fmt: skip
SCRIPTS = len(_SCRIPTS)
GIVEN_OF_SCRIPT, FAMILY_OF_SCRIPT = 6, 5
_ACCENTS = (
    ("o", "ö"), ("a", "á"), ("e", "é"), ("n", "ñ"), ("u", "ü"), ("i", "í"), ("c", "ç"), ("l", "ł"), ("s", "š"),
)  # fmt: skip


def _both(which: int) -> tuple[list[str], list[str]]:
    """Latin and native forms of all names of the scripts; which: 0 given, 1 family."""
    pairs = [pair.split() for script in _SCRIPTS for pair in script[which]]
    return [latin for _, latin in pairs], [native for native, _ in pairs]


def accented(name: str) -> str:
    """The name with one letter in its own spelling: the first after the initial that has one."""
    for place, letter in enumerate(name):
        for plain, own in _ACCENTS:
            if place and letter == plain:
                return name[:place] + own + name[place + 1 :]
    return name


_GIVEN_LATIN, _GIVEN_NATIVE = _both(0)
_FAMILY_LATIN, _FAMILY_NATIVE = _both(1)
GIVEN = [*names.GIVEN, *_GIVEN_LATIN]
FAMILY = [*names.FAMILY, *_FAMILY_LATIN]
N_GIVEN, N_FAMILY = len(GIVEN), len(FAMILY)
_SHORT = [names.NICKNAMES.get(name, name) for name in GIVEN]
HAS_SHORT = np.array([short != name for short, name in zip(_SHORT, GIVEN, strict=True)])

FIRST = pa.array([
    *GIVEN, *(accented(n) for n in names.GIVEN), *_GIVEN_NATIVE, *_SHORT, *(f"{n[0]}." for n in GIVEN),
    *names.typos(GIVEN),
])  # fmt: skip
LAST = pa.array([*FAMILY, *(accented(n) for n in names.FAMILY), *_FAMILY_NATIVE, *names.typos(FAMILY)])
NATIVE, SHORT, INITIAL, TYPO = 1, 2, 3, 4
"""Where a block of forms begins in FIRST, in lengths of GIVEN; TYPO is the last block, VARIANTS forms a name."""
TYPO_LAST = 2
"""The same for LAST, in lengths of FAMILY."""
