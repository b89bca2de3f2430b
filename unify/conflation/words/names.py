"""Names of people: a word to the form that stands for it.

    word ── titles ── FAMILIES (curated) ── nicknames package, where it is unambiguous ── itself

One word has one form, so "are equal" is an equivalence, whatever order names come in. The package says who *may* be
called Al: Alan, Albert, Alexander and eleven more. Taking all of them as equal would join half of all first names, so a
nickname of several different names is decided by FAMILIES (the name it most often is short for) or stands for itself;
and a name in its own right (OWN), which the genealogists behind the package also met as a nickname, stays apart: Erin
is not Aaron.
"""

import re
from functools import cache

from nicknames import name_triplets

TITLES = """
    mr: mister, mstr, master, monsieur, herr, señor, senor, signor, sig
    mrs: missus, missis, mistress, frau, señora, senora, signora, madame, mme
    ms: miss, mademoiselle, mlle, fräulein, fraulein, señorita, senorita, signorina
    mx: mixter
    dr: doctor, doc, doktor, dott, dottore
    prof: professor, professeur, profesor, professore
    rev: reverend, revd
    fr: father
    hon: honorable, honourable
    sir: sire
    capt: captain, cpt
    col: colonel
    gen: general
    lt: lieutenant, lieut
    sgt: sergeant, sergent
    maj: major
    pres: president
    gov: governor
    sen: senator
    amb: ambassador
    esq: esquire
    jr: junior, jnr, jun
    sr: senior, snr
    ii: 2nd
    iii: 3rd
    iv: 4th
    phd: doctorate, dphil
    md: mdphd
"""
"""A form and what it stands for. Titles are made alike, not left out: the reference turns `professor` into `Prof.`."""

FAMILIES = """
    aaron: aron, arron
    abigail: abbigail, abbigale, abigale, abby, abbie, abbey, abbi, abbe
    abraham: abram, abe
    albert: al, bertie
    alexander: alex, aleksandr, alec, alek, alexandre, alejandro, sasha
    alexandra: alexandria, lexi, lexie
    alfred: alf, alfie
    alice: alyce, allie
    alison: allison, allyson, allisandra, ali
    allan: alan, allen, alun
    amanda: mandy, mandie, manda
    andrew: andy, drew, andre, andreas, andrés
    ann: anna, anne, annie, ana, annika, nan
    anthony: tony, antony, antonio, anton, ant
    antoinette: toni, nettie
    arthur: art, artie
    augustus: gus, august, augustine
    barbara: babs, bab, barbie, barb, barby, barbery
    bartholomew: bart, barticus
    beatrice: bea, beatrix, trixie, trix
    benjamin: ben, benny, bennie, benjy, benji
    bernard: bernie, berney, berny
    bradley: brad
    brian: bryan, bryant
    caitlin: caitlyn, kaitlin, kaitlyn, kaitlynn, katelyn, katelin, cait, kait
    cameron: cam, kameron
    caroline: carolyn, carolann, carrie, carry
    catherine: katherine, kathryn, katharine, cathryn, cathleen, kathleen, cathy, kathy, katie, katy, kate, kathie,
        kitty, kittie, kit, kay, kat, katrina, trina, catharine, katarina
    charles: charlie, charley, chuck, chas, carl, karl, carlos
    charlotte: lottie, lotta, char
    christina: christine, kristina, kristine, christiana, chrissy, crissy, christy, kristy, kirsty, tina,
        kristen, kristin
    christopher: chris, kristopher, kristofer, kristoffer, christoffer, christoph, topher, kris
    clara: claire, clare, clair
    clifford: cliff
    constance: connie
    curtis: curt, kurt
    cynthia: cindy, cindi, cyndi
    daniel: dan, danny, dann, dannie
    david: dave, davey, davy, day
    deborah: debora, debra, debbie, debby, debbi, deb, debs
    dennis: denis, denny
    derek: derrick, derick, derrek
    diana: diane, dianne, dian, di
    dominic: dominick, domenic, dominico, dom
    donald: don, donnie, donny
    dorothy: dorothea, dot, dottie, dotty, dolly, dortha
    douglas: doug, duggie
    edith: edyth, edythe, edie, edye
    edward: ed, eddie, eddy, ted, teddy, ned, eduardo
    eleanor: elinor, eleanora, nell, nellie, nelly, ellie, nora, lenora, leonora, leonore
    elizabeth: elisabeth, liz, lizzie, lizzy, beth, betsy, betty, bess, bessie, eliza, libby, liza, elsie, lib
    emily: em, emmy, millie
    emmanuel: emanuel, immanuel, manuel, manny
    eric: erik, rick, rickie
    ernest: earnest, ernie
    esther: hester, essie
    eugene: gene
    evelyn: evelina, ev
    florence: flo, flossie, flora
    frances: fran, frannie, franny, francie, fanny, francine, franniey
    francis: frank, frankie, francesco, francisco, franklin, franklind, franz
    frederick: fred, freddie, freddy, frederic, fredrick, fritz, friedrich
    gabriel: gabe
    gabrielle: gabriella, gabby
    geoffrey: jeffrey, jefferey, jeffery, jeff, geoff
    george: georgie, georg, jorge
    gerald: gerry, jerry, jerold
    gertrude: gert, gertie, trudy
    gregory: greg, gregg, greggory, gregor
    gwendolyn: gwen, wendy
    hannah: hanna, johanna, johannah
    harold: hal
    helen: helena, helene, elena, ellen
    henry: harry, hank, henri, heinrich, enrique
    herbert: herb
    isaac: izaak, ike
    isabella: isabel, isabelle, isobel, bella, belle, izzy, issy, ib, ibby
    jacob: jakob, jake, jacobus
    jacqueline: jacquelyn, jackie, jacqui, jacquie
    james: jim, jimmy, jimmie, jamie, jamey, jem
    jane: janie, jayne
    janet: jan, jeanette, jannett, janette
    jennifer: jen, jenny, jenn, jenni, jennie, jenna
    jeremiah: jeremy, jez, jezza, jereme
    jessica: jess, jessie
    joanna: joanne, joann, jo, joan
    john: jon, jack, johnny, johnnie, jonny, jonnie, johny, jock, johann, johannes, juan
    jonathan: johnathan, johnathon, jonathon, jonathen
    joseph: joe, joey, jos, josef, josé, jose, giuseppe
    josephine: josie, josophine, josey, jody
    joshua: josh
    judith: judy, judi, judie
    julia: julie, jules, jule
    kenneth: ken, kenny
    kimberly: kimberley, kim, kimberli, kym, kymberly
    laura: lauren, lauryn, laurie, lori
    lawrence: laurence, larry, lawrie
    leonard: len, lenny, lennie, leo, leon
    leslie: lesley, les
    lillian: lilian, lily, lilly, lil
    linda: lynda, lindy
    louis: lewis, lou, louie, luis
    louise: louisa, lu
    lucas: luke, lukas
    lucille: lucy, lucia
    madeline: madelyn, madeleine, maddy, maddie, madie
    malcolm: mal, malc
    margaret: maggie, meg, peg, peggy, peggie, marge, margie, margaretta, margarita, marguerite, marjorie, margery,
        greta, gretta, gretchen, rita, daisy, midge, madge, margy, maggy
    mark: marc, marcus
    martha: marty, mattie
    mary: marie, maria, mae, may, molly, mollie, mamie, polly, mariah
    matthew: mathew, matt, mat, matthias, matthews, maty
    maurice: morris, morey
    maximilian: max, maximillian
    megan: meghan, maegen
    melissa: missy, lissa
    michael: mike, mikey, mick, mickey, micky, micheal, miguel, michel, mischa, miky
    michelle: shelly, shelley, chelle, michele
    mildred: milly
    mitchell: mitch
    nancy: nanny
    natalie: natalia, nathalie
    nathaniel: nate, nat, nathan, nathanial
    nicholas: nick, nicky, nicolas, nikolas, nickie, nic, nico, nik, klaus, claus
    nicole: nichole, nikki, nicki, nikole
    oliver: ollie
    pamela: pam
    patricia: pat, patty, patti, trish, tricia, trisha, patsy, pattie
    patrick: paddy, pádraig
    paul: pablo, pauly
    penelope: penny
    peter: pete, pieter, pedro, pierre
    philip: phillip, phil, pip
    priscilla: prissy, cilla
    rachel: rachael, rach
    raymond: ray
    rebecca: becca, becky, reba, rebekah, beck
    reginald: reggie, reg
    richard: rich, richie, dick, dickie, ricardo, ricky, rickey, dicky
    robert: bob, bobby, rob, robbie, robby, bert, roberto, dob, robin
    roberta: bobbie, birdie
    roderick: rod, roddy
    roger: rodger, rodge
    ronald: ron, ronnie, ronny
    rose: rosie, rosa, rosey
    roxanne: roxanna, roxane, roxie, rox
    rudolph: rudolf, rudy, rolf
    russell: russ, rusty
    samuel: sam, sammy, sammie
    samantha: mantha
    sarah: sara, sally, sadie
    sean: shaun, shawn
    stacey: stacy, stacie, staci
    stephanie: steph, steffi, steffie, stefanie, stephani, stephany, stephie, stephine
    steven: stephen, stephan, steve, stevie, stefan
    stuart: stewart, stu
    susan: sue, suzie, susie, susannah, suzanne, susanna, suzy
    sydney: sidney, sid, syd
    sylvester: silvester, sly
    tabitha: tabby
    tammy: tammie, tami, tamara, tamarra
    terence: terry, terrence, terrance
    theodore: theo
    theresa: teresa, tess, tessa, terri, teri, tessie, tracy, traci, tracie, tracey, terrie
    thomas: tom, tommy, thom, tomas, tomás
    timothy: tim, timmy
    valerie: val, valeri
    veronica: vonnie
    victor: vic
    victoria: vicky, vickie, vicki, tori, torie, tory, torri
    vincent: vince, vinny, vinnie, vin, vincenzo
    virginia: ginny, ginger
    walter: walt, wally
    wesley: wes, westley
    wilfred: wilf
    wilhelmina: wilma, mina, minnie
    william: bill, billy, will, willie, willy, wil, liam, billie, wilhelm, guillermo
    winifred: winnie, winnifred, winny
    yvonne: evonne
    zachary: zach, zack, zac, zak, zachariah, zachery, zakk
"""
"""Spelling variants and the nicknames that are theirs, most often; the form comes first."""

OWN = """
    adrian aileen alana alicia amelia amy andrea angel angela angelica angelina ari asa ash ashley austin barrett
    basil bell berry brady brandy brenda briana brianna candy carla carol casey cassandra cecilia celeste chelsea
    cher cherie claude clement clementine cole cora cordelia corey corinne dean delia dora ella eloise emma erica
    erika erin ernestine eva evan eve faith fay felix fiona ford gail garrett gary gay georgia gina glen glenn grace
    green harriet hattie heather heidi herman hilary hillary hope horace hugh ian india irene iris irving irwin ivan
    ivy jasmine jay jean jill jordan joy joyce judah jude june justin justina justus kali kara karen kari karla
    kelly kerry king lana lea leah lee leila lindsay lindsey link lisa little lloyd lois loren lucius lynn marcia
    marianna marianne marilyn marion marisa martin maureen mercy micah mona moses myra natasha neil nina noah noel
    norah odell olive olivia orlando otis paula pauline percy perry phoebe ralph rex rhett robyn roland rosemary
    ross roy rupert ryan sabrina sandra sandy saul scott selma serena shane sharon shay shelby sheldon sheryl
    shirley simon solomon sondra sonia sophia sophie stella sullivan tasha toby todd tristan vanessa vera vernon
    viola vivian wade wash webster west wilbur wood woody yolanda
"""
"""Names in their own right that the package also gives as somebody's nickname."""

_DOTS = re.compile(r"[.·]")
_EDGES = "'\"`´’‘“”„«»()[]{},;:!?*_/|\\-–—"
_APOSTROPHES = str.maketrans("’‘`´ʼ", "'''''")


@cache
def forms() -> dict[str, str]:
    """Each variant or title to its form; every form is its own form."""
    table = {variant: form for form, variants in _rows(FAMILIES) for variant in variants}
    formal = {form for form, _ in _rows(FAMILIES)}
    titles = {variant: form for form, variants in _rows(TITLES) for variant in variants}
    settled = formal | set(OWN.split()) | titles.keys() | _title_forms()
    table |= {nick: name for nick, name in _unambiguous(table).items() if nick not in settled and nick not in table}
    return {word: _last(word, table) for word in table} | titles


def canonical(word: str) -> str:
    """What stands for a case-folded word: its form, or the word without punctuation at its edges.

    Dots part initials (`j.r.` is `j r`) unless they abbreviate something known (`ph.d.`, `jr.`); a comma parts words.

    >>> [canonical(w) for w in ("debby,", "prof.", "j.r.", "ph.d.", "o’hara", "smith-jones", "-")]
    ['deborah', 'prof', 'j r', 'phd', "o'hara", 'smith-jones', '']
    """
    parts = [p for part in word.translate(_APOSTROPHES).split(",") if (p := part.strip(_EDGES))]
    return " ".join(filter(None, (_one(part) for part in parts)))


def _one(word: str) -> str:
    table = forms()
    if "." not in word and "·" not in word:
        return table.get(word, word)
    closed = _DOTS.sub("", word)
    if closed in table or closed in _title_forms():
        return table.get(closed, closed)
    pieces = (piece.strip(_EDGES) for piece in _DOTS.split(word))
    return " ".join(table.get(piece, piece) for piece in pieces if piece)


@cache
def _title_forms() -> frozenset[str]:
    return frozenset(form for form, _ in _rows(TITLES))


def _rows(text: str) -> list[tuple[str, list[str]]]:
    rows = re.findall(r"^ {4}(\S+): ((?:.*\n?(?: {8}.*\n)*))", text, re.MULTILINE)
    return [(form, [v.strip() for v in variants.replace("\n", " ").split(",") if v.strip()]) for form, variants in rows]


def _unambiguous(families: dict[str, str]) -> dict[str, str]:
    """Nicknames of the package that lead to one name only, once spelling variants are one."""
    names: dict[str, set[str]] = {}
    for triplet in name_triplets():
        if triplet.relationship == "has_nickname":
            names.setdefault(triplet.name2, set()).add(families.get(triplet.name1, triplet.name1))
    formal = {name for several in names.values() for name in several}
    return {nick: next(iter(of)) for nick, of in names.items() if len(of) == 1 and nick not in formal}


def _last(word: str, table: dict[str, str]) -> str:
    seen = {word}
    while (word := table.get(word, word)) not in seen:
        seen.add(word)
    return word
