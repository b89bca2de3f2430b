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
    mr: mister, mstr, master, monsieur, herr, señor, senor, signor
    mrs: missus, missis, mistress, frau, señora, senora, signora, madame, mme
    ms: miss, mademoiselle, mlle, fräulein, fraulein, señorita, senorita, signorina
    mx: mixter
    dr: doctor, doc, doktor, dott, dottore
    prof: professor, professeur, profesor, professore
    rev: reverend, revd
    fr: father
    hon: honorable, honourable
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
    jr: junior, jnr
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
    alexander: alex, aleksandr, alec, alek, alexandre
    alexandra: alexandria, lexi, lexie
    alfred: alf, alfie
    alice: alyce
    alison: allison, allyson, allisandra
    allan: alan, allen
    amanda: mandy, mandie, manda
    andrew: andy, drew
    ann: anna, anne, annie, nan
    anthony: tony, antony
    antoinette: toni
    arthur: art, artie
    augustus: gus
    barbara: babs, bab, barbie, barb, barby, barbery
    bartholomew: bart, barticus
    beatrice: bea, beatrix, trixie, trix
    benjamin: ben, benny, bennie, benjy, benji
    bernard: bernie, berney, berny
    bradley: brad
    brian: bryan
    caitlin: caitlyn, kaitlin, kaitlyn, kaitlynn, katelyn, katelin, cait, kait
    cameron: cam, kameron
    caroline: carolyn, carolann, carrie
    catherine: katherine, kathryn, katharine, catharine, cathryn, cathy, kathy, kathie, katie, katy, kate, kitty,
        kittie, kat, kay, kit
    charles: charlie, charley, chuck, chas
    charlotte: lottie, lotta, char
    christina: kristina, chrissy, crissy, tina
    christine: kristine
    christopher: chris, kristopher, kristofer, kristoffer, christoffer, christoph, topher
    claire: clare, clair
    clifford: cliff
    constance: connie
    curtis: curt, kurt
    cynthia: cindy, cindi, cyndi
    daniel: dan, danny, dann, dannie
    david: dave, davey, davy
    deborah: debora, debra, debbie, debby, debbi, deb, debs
    dennis: denis, denny
    derek: derrick, derick, derrek
    diana: diane, dianne, dian
    dominic: dominick, domenic, dom
    donald: don, donnie, donny
    dorothy: dorothea, dot, dottie, dotty, dortha
    douglas: doug, duggie
    edith: edyth, edythe, edie, edye
    edward: ed, eddie, eddy, ted, teddy, ned
    eleanor: elinor, eleanora, nell, nellie, nelly, ellie
    elizabeth: elisabeth, liz, lizzie, lizzy, beth, betsy, betty, bess, bessie, eliza, libby, lib
    emily: em, emmy
    emmanuel: emanuel, immanuel, manny
    eric: erik
    erica: erika, ericka
    ernest: earnest, ernie
    esther: essie
    eugene: gene
    evelyn: evelina, ev
    florence: flo, flossie
    frances: fran, frannie, franny, francie, fanny, franniey
    francis: frank, frankie
    frederick: fred, freddie, freddy, frederic, fredrick, fritz
    gabriel: gabe
    gabrielle: gabriella, gabby
    geoffrey: jeffrey, jefferey, jeffery, jeff, geoff
    george: georgie
    gerald: gerry, jerry, jerold
    gertrude: gert, gertie, trudy
    gregory: greg, gregg, greggory
    gwendolyn: gwen
    hailey: haylee, hayley
    hannah: hanna
    harold: hal
    helen: helena, helene
    henry: harry, hank
    herbert: herb
    isaac: izaak, ike
    isabella: isabel, isabelle, isobel, bella, belle, izzy, issy, ib, ibby
    jacob: jakob, jake
    jacqueline: jacquelyn, jackie, jacqui, jacquie
    james: jim, jimmy, jimmie, jamie, jamey, jem
    jane: janie, jayne
    janet: janette
    jennifer: jen, jenny, jenn, jenni, jennie
    jeremiah: jeremy, jez, jezza, jereme
    jessica: jess, jessie
    joanna: joanne, joann, jo
    john: jon, jack, johnny, johnnie, jonny, jonnie, johny, jock
    jonathan: johnathan, johnathon, jonathon, jonathen
    joseph: joe, joey, jos
    josephine: josie, josophine, josey
    joshua: josh
    judith: judy, judi, judie
    karl: carl
    kathleen: cathleen
    kelly: kelley, kelli, kellie
    kenneth: ken, kenny
    kimberly: kimberley, kim, kimberli, kym, kymberly
    kristen: kristin, kirsten
    lawrence: laurence, larry, lawrie
    leonard: len, lenny, lennie
    leslie: lesley, les
    lillian: lilian, lil
    lily: lilly
    linda: lynda
    louis: lou, louie
    louise: louisa
    lucas: luke, lukas
    madeline: madelyn, madeleine, maddy, maddie, madie
    malcolm: malc
    margaret: maggie, meg, peg, peggy, peggie, marge, margie, margaretta, margarita, marguerite, midge, madge,
        margy, maggy
    mark: marc
    martha: marty, mattie
    mary: mae, molly, mollie, mamie, polly
    matthew: mathew, matt, mat, maty
    maurice: morris, morey
    maximilian: max, maximillian
    megan: meghan, maegen
    melissa: missy, lissa
    michael: mike, mikey, mick, mickey, micky, micheal, miky
    michelle: shelly, shelley, chelle, michele
    mildred: milly, millie
    mitchell: mitch
    nancy: nanny
    natalie: nathalie
    nathaniel: nate, nat, nathanial
    nicholas: nick, nicky, nicolas, nikolas, nickie, nic, nik
    nicole: nichole, nikki, nicki, nikole
    oliver: ollie
    pamela: pam
    patricia: pat, patty, patti, trish, tricia, trisha, patsy, pattie
    patrick: paddy
    paul: pauly
    penelope: penny
    peter: pete
    philip: phillip, phil, pip
    priscilla: prissy, cilla
    rachel: rachael, rach
    raymond: ray
    rebecca: becca, becky, rebekah, beck
    reginald: reggie, reg
    richard: rich, richie, rick, rickie, ricky, rickey, dick, dickie, dicky
    robert: bob, bobby, rob, robbie, robby, dob
    roberta: bobbie, birdie
    roderick: rod, roddy
    roger: rodger, rodge
    ronald: ron, ronnie, ronny
    rose: rosie, rosey
    roxanne: roxanna, roxane, roxie, rox
    rudolph: rudolf, rudy, rolf
    russell: russ, rusty
    samuel: sam, sammy, sammie
    sarah: sara, sally, sadie
    sean: shaun, shawn
    stacey: stacy, stacie, staci
    stephanie: steph, steffi, steffie, stefanie, stephani, stephany, stephie, stephine
    steven: stephen, stephan, steve, stevie
    stuart: stewart, stu
    susan: sue, suzie, susie, suzy
    susannah: susanna
    sydney: sidney, sid, syd
    sylvester: silvester, sly
    tabitha: tabby
    tamara: tammy, tammie, tami, tamarra
    terence: terry, terrence, terrance
    theodore: theo
    theresa: teresa, tess, tessa, terri, teri, tessie, terrie
    thomas: tom, tommy, thom
    timothy: tim, timmy
    tracy: tracey, traci, tracie
    valerie: val, valeri
    veronica: vonnie
    victor: vic
    victoria: vicky, vickie, vicki, tori, torie, tory, torri
    vincent: vince, vinny, vinnie, vin
    virginia: ginny
    walter: walt, wally
    wesley: wes, westley
    wilfred: wilf
    william: bill, billy, will, willie, willy, wil, billie
    winifred: winnie, winnifred, winny
    zachary: zach, zack, zac, zak, zachariah, zachery, zakk
"""
"""Spelling variants and the nicknames that are theirs, most often; the form comes first."""

OWN = """
    adina ado adri adrian aga aileen al alana alen ali alicia alla amelia amy ana andrea andreas angel angela
    angelica angelika angelina angelique ansel antonio app ari asa ash ashley august augustine austin barrett basil
    bat bela bell berry bert bertie bias bo brady brandy brenda briana brianna bryant buren burt cage cali callie
    candy carla carlos carm carol casey cassandra cecilia celeste chan chat chelsea cher cherie claas claes claud
    claude claus clement clementine cole cora cordelia corey corinne court crate daisy dale dani day dean dee deena
    del delia dena di didi dolly dona dora drina dunk dutch duty eduardo el elena ella ellen eloise elsie emma
    enrique erin erna ernestine es essa eva evan eve faith fal falcon fall falon fate fay feli felix fie field fina
    fiona flora ford francesco francine francisco franklin franz gail garrett garry gary gay georgia gil gina ginger
    gio giuseppe glen glenn glory gory grace green greta gretchen ham harman harriet hattie heather heidi heinrich
    henri herman hester hilary hillary honey honor hop hope hopp horace hub hugh ian ida ina india irene iris irving
    irwin ivan ivy jaap jaelin jaelyn jailyn jalen jan jap jasmine jay jaye jaylin jaylyn jean jeanette jill joan
    jody johann johanna johannes jordan jorge jose joy joyce juan juda judah jude jules julia julie june junius
    justin justina justus kali kara karen kari karla katarina katrina kenji kerri kerry kill king klaus lan lana
    lanny larissa laura lauren laurie lea leah lee left leila lenora leo leon leonora levy lewis liam life lila
    lindsay lindsey link lisa little lloyd lois lola lonnie lonny loren lori lorne lorry lu lucia lucille lucius
    lucy luis lula lynn mac mack maisie mal manuel marcia marcus margery maria mariah marianna marianne marie
    marilyn marion marisa marjorie martin masa matthews matthias maureen may mc melo mercy micah miguel mina minnie
    mira mock mona monte mort moses moss myra nada nap natalia natasha nathan naz neil nels nico nina nita noah noel
    nora norah norbu ode odell odo ola olive olivia omi one orlando otis pablo paula pauline pedro percy perry
    phoebe pierre pink pres ralph rasmus rea ren rena rex rhett rian ricardo riche rita roberto robin roby robyn
    roland rosa rosemary ross roy rupert ryan sabrina salmon samantha sandra sandy saul scott see selma serena
    serene seve shane sharon shay shelby sheldon sheryl shirley simon sina sis sol solomon sondra sonia sophia
    sophie squat stal stella sula sullivan sully suzanne sy tal tasha than tick tilla titia toby todd tristan van
    vanessa vanna vera verna vernon vest vet vij viola vivian wade wash webb webster wen wendy west wilbur wilhelm
    wilma wood woody yolanda yoshi yul zada zed
"""
"""Names in their own right that the package also gives as somebody's nickname."""

DEGREES = ("phd", "md")
"""Written with dots inside; other words with dots inside are initials: `J.R.` is not `Jr.`."""
_DOTS = re.compile(r"[.·]")
_EDGES = "'\"`´’‘“”„«»()[]{},;:!?*_/|\\-–—"
_APOSTROPHES = str.maketrans("’‘`´ʼ", "'''''")


@cache
def forms() -> dict[str, str]:
    """Each variant or title to its form; every form is its own form."""
    table = {variant: form for form, variants in _rows(FAMILIES) for variant in variants}
    formal = {form for form, _ in _rows(FAMILIES)}
    titles = _titles()
    settled = formal | set(OWN.split()) | titles.keys() | _title_forms()
    table |= {nick: name for nick, name in _unambiguous(table).items() if nick not in settled and nick not in table}
    return {word: _last(word, table) for word in table} | titles


def canonical(word: str) -> str:
    """What stands for a case-folded word: its form, or the word without punctuation at its edges.

    Dots part initials (`j.r.` is `j r`) unless they are those of a degree (`ph.d.`); a comma parts words.

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
    if closed in DEGREES:
        return closed
    pieces = (piece.strip(_EDGES) for piece in _DOTS.split(word))
    return " ".join(table.get(piece, piece) for piece in pieces if piece)


@cache
def _titles() -> dict[str, str]:
    return {variant: form for form, variants in _rows(TITLES) for variant in variants}


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
    return {
        nick: name
        for nick, (name, *others) in ((nick, sorted(of)) for nick, of in names.items())
        if not others and nick not in formal and name not in _titles()
    }


def _last(word: str, table: dict[str, str]) -> str:
    seen = {word}
    while (word := table.get(word, word)) not in seen:
        seen.add(word)
    return word
