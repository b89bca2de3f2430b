"""Word lists, written for this project. People made of them are invented; any likeness is chance."""

_GIVEN = (
    "Aaron Abigail Ada Adrian Agnes Alan Albert Alice Amanda Amber Andrea Angela Arthur Audrey Barbara Beatrice "
    "Bernard Bianca Brenda Brian Bruno Camilla Carl Carmen Caroline Cedric Charlotte Clara Claudia Clemens Colin "
    "Conrad Cora Cynthia Damian Daphne Dennis Diana Dominic Donna Doris Dorothy Duncan Dylan Edith Edmund Eleanor "
    "Elias Elsa Emil Erica Esther Eugene Evelyn Felix Fiona Florence Frances Gabriel George Gerald Gloria Gordon "
    "Grace Graham Greta Gustav Harriet Heather Hector Helen Hilda Holly Howard Hugo Ingrid Irene Iris Ivan "
    "Jasmine Jerome Joanna Jocelyn Judith Julia Justin Kenneth Kevin Laura Leonard Lewis Lillian Linda Lionel "
    "Louise Lucas Lydia Magnus Marcus Marion Martha Maureen Melanie Miranda Monica Morgan Nadia Naomi Nigel Noel "
    "Nora Norman Octavia Olive Oscar Otto Pamela Paula Percy Philip Phoebe Quentin Rachel Ralph Raymond Regina "
    "Roland Rosa Rufus Ruth Sabrina Sandra Selma Sheila Sidney Silvia Simon Stella Stuart Tamara Theodore Thelma "
    "Tobias Trevor Ursula Valerie Vera Vernon Victor Viola Walter Wanda Wendy Wesley Wilma Yolanda Yvonne"
)
GIVEN = _GIVEN.split()

_FAMILY = (
    "Abernathy Aldous Ambler Appleby Arkwell Ashdown Atwater Babcock Bagshaw Baldwyn Barlow Bassett Beckwith "
    "Bellamy Birchall Blackthorn Blenkin Bowditch Brackley Bramwell Brockway Buckle Burdock Caldbeck Cantrell "
    "Carmody Cavendar Chadwell Chisholm Clapham Cobbold Colquhoun Copplestone Cranmer Crawshaw Culpepper Dagworth "
    "Dalrymple Danforth Delacourt Denholm Dinsdale Dobbins Drakeford Dunwoody Eastlake Eddowes Elphick Emberson "
    "Everdell Fairbairn Farthing Fennimore Ferrars Fitzwarren Flintoft Fothergill Foxcroft Frobisher Gadsden "
    "Galbraith Garrick Gillespie Glanville Goldsworthy Grantham Greenhalgh Grimshaw Hackett Halliwell Hampshire "
    "Harcastle Hathersage Hawtrey Hazelwood Heathcote Hepworth Higginbottom Holbrook Hornblower Huckaby Hutchings "
    "Inchbald Ingersoll Jellicoe Jessop Kellaway Kenworthy Kettlewell Kilbride Knightley Lambourne Langstaff "
    "Larkspur Leatherby Lethbridge Lindqvist Lockridge Longbottom Ludlow Lyttleton Mackintosh Mainwaring Mallory "
    "Marchbanks Merriweather Middlemarch Millicent Montague Mossgrove Nettleship Newcombe Nightingale Northcote "
    "Oakenfold Oglethorpe Ormsby Osgood Paddington Palfrey Pargeter Pemberton Pennyworth Pettigrew Pinkerton "
    "Plimpton Prendergast Quarrington Quigley Radcliffe Rainsford Ravenscroft Redfern Rockwell Rotherham Ruddock "
    "Sackville Sandford Satterthwaite Scarborough Sedgwick Shackleton Shillingford Skeffington Snodgrass Somerset "
    "Spofford Stanhope Stockdale Summerskill Swinburne Tattersall Templeton Thackeray Thistlewood Throckmorton "
    "Tiverton Trelawney Tunnicliffe Twelvetrees Underhill Upjohn Vanbrugh Vickers Wadsworth Wainwright Walpole "
    "Warburton Wetherby Whitcombe Wickersham Wigglesworth Willoughby Windermere Winterbourne Woolgar Wrexham "
    "Wycliffe Yarborough Yeardley"
)
FAMILY = _FAMILY.split()

_STREETS = (
    "Alder Amber Beacon Birch Bridle Canal Castle Cedar Chestnut Clover Copper Dove Elm Falcon Fern Garnet "
    "Granary Harbor Hawthorn Heron Hickory Ivy Juniper Lantern Larch Linden Maple Meadow Mill Mulberry Oak "
    "Orchard Osprey Pepper Pine Quarry River Rowan Saddle Sage Spruce Sycamore Thistle Tulip Vine Walnut Willow "
    "Windmill"
)
STREETS = _STREETS.split()
STREET_KINDS = (("Street", "St"), ("Avenue", "Ave"), ("Road", "Rd"), ("Lane", "Ln"), ("Drive", "Dr"), ("Court", "Ct"))

CITIES = (
    ("Alderbrook", "OH", 432), ("Bellhaven", "PA", 171), ("Cinder Falls", "NY", 124), ("Dunmore Bay", "ME", 41),
    ("Eastwick", "CT", 63), ("Foxglove", "VA", 229), ("Granite Ford", "NH", 32), ("Hollowell", "MI", 486),
    ("Ironwood Park", "WI", 535), ("Juniper Hills", "CO", 803), ("Kestrel Point", "OR", 972), ("Larkfield", "IL", 617),
)  # fmt: skip
"""City, state, first three digits of its post codes (all invented)."""

MAIL_HOSTS = ("example.com", "example.net", "example.org", "mail.example", "post.example", "inbox.example")
"""Reserved names only (RFC 2606): no letter can reach anybody."""

PRODUCTS = (
    ("Kettle", 39), ("Toaster", 45), ("Blender", 79), ("Lamp", 25), ("Rug", 120), ("Bookshelf", 149), ("Desk", 229),
    ("Armchair", 310), ("Mirror", 65), ("Vase", 18), ("Blanket", 42), ("Clock", 33), ("Cutlery", 54), ("Teapot", 28),
)  # fmt: skip

REVIEWS = (
    (5, "Exactly what I hoped for"), (5, "Arrived early, well packed"), (4, "Good, a little smaller than expected"),
    (4, "Nice colours"), (3, "Does the job"), (3, "The manual could be better"), (2, "Scratched on arrival"),
    (2, "Too loud for my kitchen"), (1, "Broke after a week"),
)  # fmt: skip

NICKNAMES = (
    ("William", "Bill"), ("Robert", "Bob"), ("Elizabeth", "Liz"), ("Deborah", "Debbie"), ("Michael", "Mike"),
    ("James", "Jim"), ("Margaret", "Peggy"), ("Anthony", "Tony"),
)  # fmt: skip
