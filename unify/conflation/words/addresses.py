"""Addresses: a word to its abbreviation, after the postal abbreviations of the United States and common ones elsewhere.

Forms only have to be alike, not to be what a postman writes: saint and street are both `st`.
"""

import re
from functools import cache

ABBREVIATIONS = """
    n: north, nth
    s: south, sth
    e: east
    w: west
    ne: northeast, north-east
    nw: northwest, north-west
    se: southeast, south-east
    sw: southwest, south-west
    st: street, strt, saint, sainte
    str: straße, strasse
    ave: avenue, av, aven, avenu, avenida, avda
    blvd: boulevard, boul, boulv, bvd
    rd: road
    dr: drive, drv
    ln: lane
    ct: court, crt
    cts: courts
    pl: place, platz, placa, plaça
    plz: plaza, plza, piazza
    sq: square, sqr
    ter: terrace, terr
    cir: circle, circ
    cres: crescent, crsnt
    cv: cove
    pkwy: parkway, pky, parkwy
    hwy: highway, hiway, hiwy
    fwy: freeway, freewy
    expy: expressway, expw, expr
    tpke: turnpike, trnpk
    rte: route
    cyn: canyon, canyn
    crk: creek
    xing: crossing, crssng
    aly: alley, alleyway, allee, allée, ally
    brg: bridge, brücke, bruecke
    cswy: causeway
    ctr: center, centre, cntr
    est: estate
    ests: estates
    fld: field
    flds: fields
    frst: forest
    gdn: garden, garten
    gdns: gardens, grdns
    grn: green
    grv: grove
    hbr: harbor, harbour
    hts: heights, hgts
    hl: hill
    hls: hills
    holw: hollow
    is: island
    jct: junction, jctn
    lk: lake
    lks: lakes
    ldg: landing
    mdw: meadow
    mdws: meadows
    ml: mill
    mls: mills
    msn: mission
    mt: mount
    mtn: mountain
    pk: park, prk
    psge: passage
    pt: point
    pts: points
    prt: port
    pr: prairie
    rdg: ridge
    riv: river
    shr: shore
    shrs: shores
    spg: spring
    spgs: springs
    sta: station, stn
    strm: stream
    smt: summit
    trl: trail, trails
    trk: track
    vly: valley, vally
    vw: view
    vlg: village
    vis: vista
    wlk: walk
    weg: wg
    cl: close, calle
    mews: mws
    qy: quay
    qu: quai
    r: rue, rua
    imp: impasse
    ch: chemin
    c: carrer
    via: v
    co: county
    apt: apartment, apartement, appartement, appt, apto, apartamento, wohnung, whg
    ste: suite, suit
    unit: unt
    fl: floor, flr, étage, etage, stock, piso
    rm: room
    bldg: building, bld, gebäude, gebaeude
    dept: department
    lot: lt
    no: number, num, nr, nummer, numéro, numero, º
    ft: fort
    hq: headquarters
    usa: us
    uk: gb
    1st: first
    2nd: second
    3rd: third
    4th: fourth
    5th: fifth
    6th: sixth
    7th: seventh
    8th: eighth
    9th: ninth
    10th: tenth
"""
"""The abbreviation first."""

PHRASES = (
    (r"\b(n|s) (e|w)\b", r"\1\2"),
    (r"\b(?:p o|po|post office) ?box\b", "pobox"),
    (r"\bpostfach\b", "pobox"),
)
"""What several words say together, on abbreviated values; in order."""

_STREETS = re.compile(r"(?<=\w)(straße|strasse|str)\Z")
"""German compounds: Hauptstraße, Hauptstrasse and Hauptstr. are one."""
_EDGES = "'\"`´’‘“”„«»()[]{},;:!?*_/|\\-–—.#"


@cache
def forms() -> dict[str, str]:
    """Each word to its abbreviation."""
    rows = (line.split(": ") for line in ABBREVIATIONS.strip().splitlines())
    return {word.strip(): form.strip() for form, words in rows for word in words.split(",")}


def canonical(word: str) -> str:
    """What stands for a case-folded word; a comma parts words, dots go.

    >>> [canonical(w) for w in ("street,", "st.", "hauptstraße", "main,apt.", "p.o.", "#5", "12a")]
    ['st', 'st', 'hauptstr', 'main apt', 'po', '5', '12a']
    """
    parts = (part.strip(_EDGES).replace(".", "") for part in word.split(","))
    return " ".join(_one(part) for part in parts if part)


def _one(word: str) -> str:
    return forms().get(word) or _STREETS.sub("str", word)
