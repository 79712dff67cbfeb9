"""Colour for the sentences about people and places: phrases that state nothing ever asked."""

from __future__ import annotations

PEOPLE_AND_PLACES: dict[str, str] = {
    "day": "3 January|17 February|9 March|28 April|11 May|22 June|5 July|30 August|14 September|"
    "26 October|8 November|19 December|2 June|13 April|24 March|7 October",
    "fame": "remembered for a stubborn independence of mind|little noticed at home and much "
    "admired abroad|known to friends as a tireless writer of letters|who rarely left home without "
    "a notebook|whose reputation has grown since the archives were opened|who combined patience "
    "with a quick temper|regarded by contemporaries as generous and difficult in equal measure|"
    "who came to the profession late and almost by accident|whose quiet manner hid a fierce "
    "ambition|of unusual range and energy|who distrusted schools, theories and committees|whose "
    "working day began at four in the morning|often overshadowed by better-connected rivals|who "
    "seldom spoke about earlier years|with a gift for explaining difficult things simply",
    "deed": "built up a small but loyal following|gained a slow and lasting reputation|trained "
    "dozens of younger colleagues|withdrew more and more from public life|changed the habits of a "
    "whole generation|did most of the work for which posterity is grateful|quarrelled with nearly "
    "every academy in the land",
    "parents": "the youngest child of a ferryman|the only child of two schoolteachers|into a "
    "family of bell founders|one of seven children in a clergyman's household|where the family "
    "kept an inn|to a widow who ran a chandler's shop|at the back of a bakery|in the year of a "
    "great comet|to parents who had come from overseas|the eldest of a lighthouse keeper's "
    "children|in a house that still stands beside the canal",
    "trade": "kept a draper's shop|farmed a few stony acres|ran the post office|taught at the "
    "village school|repaired instruments|dealt in horses and hay|worked in the tannery|let rooms "
    "to travelling actors",
    "childhood": "grew up among sailors and dockers|lost both parents early and was raised by an "
    "aunt|learned to read from old almanacs|spent the summers herding goats|was thought too frail "
    "for school|showed no special gift until the age of twelve|served as an errand runner for a "
    "notary",
    "subject": "law|medicine|theology|mathematics|natural history|classical languages|mechanics|"
    "music|drawing|rhetoric",
    "manner": "without much enthusiasm|with a scholarship from the guild of weavers|against the "
    "wishes of the family|while earning a living as a copyist|in half the usual time|after two "
    "interruptions through illness|alongside several later rivals",
    "lesson": "who demanded an hour of drill before breakfast|who became a second parent|whose "
    "methods were strict but never unkind|an encounter later described as decisive|though the two "
    "fell out in the end|in whose house a whole circle of beginners used to meet|who accepted "
    "only one beginner a year|who paid for the necessary books|known for long silences and sudden "
    "praise",
    "apprentice": "copied out old masters by the hundred|was allowed to make every mistake once|"
    "swept floors for a year before being given any real work|first met the friends of later "
    "years|acquired a lifelong dislike of haste",
    "oeuvre": "a good many drafts were burned|a fourth was left as a sketch|none of them was a "
    "success at first|nothing else was meant for the public|all of them have been widely discussed",
    "trio": "are often studied side by side|share several minor figures|caused some scandal when "
    "new|differ from one another in almost everything|have kept their place in public favour",
    "end": "after a short illness|in the house of a former pupil|surrounded by an enormous "
    "collection of shells|a few days before a long-planned homecoming|almost forgotten by the "
    "newspapers|during an exceptionally cold winter|while correcting a last set of proofs",
    "estate": "a library that had to be sold to pay old debts|no will and a great many creditors|"
    "three locked trunks of correspondence|a modest fortune to the local hospital|an unfinished "
    "memoir|a garden full of rare trees",
    "often": "from the age of fifteen|with long gaps|in a private shorthand|for more than forty "
    "years|mainly on journeys",
    "pose": "at an open window with a small dog|in a heavy travelling coat|frowning over a "
    "chessboard|beside a globe and a bowl of lemons|with ink on both hands",
    "temper": "cheerful in company and gloomy alone|shy to the point of rudeness|a brilliant "
    "talker|slow to anger and slower to forgive|frugal, exact and rather solemn",
    "marriage": "a happy one|stormy but lasting|a partnership of equals|kept secret for several "
    "years|the great steadying influence",
    "topic": "bridges and canals|the habits of sea birds|folk songs and riddles|prison reform|the "
    "price of bread|old inscriptions",
    "virtue": "the clarity of the early manner|a dry sense of humour|the boldness of the last "
    "years|an eye for the unheroic|restraint above everything",
    "witness": "the recollections of a niece|the minutes of a debating club|a bundle of unpaid "
    "bills|interviews given in old age|a neighbour's household book",
    "reason": "ribbons only frighten the birds|one title on a visiting card was plenty|the "
    "ceremony clashed with the pear harvest|praise ought to come from strangers",
    "saved": "the sketchbooks|a set of annotated maps|the household accounts|nearly all the "
    "correspondence|one trunk of early drafts",
    "hobby": "beekeeping and mountain walks|amateur dramatics|the breeding of pigeons|chess by "
    "post|the repair of old clocks|long-distance swimming",
    "job": "tuning pianos|translating manuals for a shipping line|painting shop signs|keeping the "
    "books of a brewery|giving lessons to the children of diplomats",
    "value": "the best introduction|a useful source|hard to find|a model of its kind",
    "atown": "a quiet market|an old garrison|a small hillside|a prosperous mill|a walled|a "
    "sprawling upland|an isolated|a busy railway|a handsome cathedral",
    "location": "surrounded by orchards and low hills|halfway between the mountains and the plain|"
    "where two old trade roads meet|in a valley well sheltered from the wind|a day's walk from "
    "the coast|on the edge of a large forest",
    "stream": "is spanned here by a bridge of nine arches|divides the old quarter from the new|"
    "once drove more than twenty mills|widens here into a natural harbour|turns sharply below the "
    "castle rock",
    "view": "boats are still built on the quay|a row of warehouses recalls busier times|fishermen "
    "dry their nets there|willows shade the promenade",
    "fortune": "rich in the age of barge traffic|a frequent target for raiders|an obvious place "
    "for a customs post|vulnerable whenever the snow melted",
    "count": "slightly fewer than a generation ago|not counting the garrison|a figure that local "
    "officials dispute|most of them living south of the market",
    "trend": "has been stable for decades|doubles in the holiday months|is ageing quickly|is "
    "swollen by students in term time",
    "charter": "the oldest document in its archive|after a lawsuit lasting eleven years|in return "
    "for a yearly gift of falcons|a date still kept as a local holiday",
    "right": "the right to hold two fairs a year|freedom from bridge tolls|a court of their own|"
    "leave to build a wall",
    "craft": "a trade brought in by refugees|still made by hand in three family firms|sold from "
    "stalls beneath the arcades|now taught at a school|once exported as far as the "
    "southern islands",
    "namesake": "who is said never to have set foot in it|a decision that divided the council|in "
    "gratitude for a gift of money|whose statue stands outside the station",
    "hall": "a copy of the one that stood there before|crowned by a gilded weathercock|now the "
    "public library|widely thought too large",
    "railway": "the track has become a cycle path|the last train left long ago|only a viaduct "
    "remains|enthusiasts hope to reopen it",
    "month": "April|May|June|August|September|October",
    "fair": "cattle, acrobats and brass bands|lanterns and puppet plays|seed merchants from the "
    "whole valley|smoke, music and roasting chestnuts",
    "relic": "a carved altar of lime wood|a bell with a misspelt inscription|the tomb of an "
    "unnamed knight|a painted ceiling of stars",
    "streets": "in a spiral|on a strict grid|like the ribs of a fish|around three triangular "
    "squares",
    "winter": "long and dry|surprisingly mild|foggy from end to end|marked by heavy snow",
    "museum": "ploughs, looms and wedding dresses|a collection of stuffed owls|fragments of a "
    "mosaic floor|early telephones|models of vanished mills",
    "food": "smoked trout and juniper|white beans and sage|mutton with quinces|dumplings filled "
    "with curd|onion soup",
    "flooded": "two bridges and a mill|part of the cemetery|the whole of the timber yard|a row of "
    "weavers' cottages",
    "service": "a cottage hospital|a savings bank|an agricultural college|a daily market",
    "ariver": "a shallow, winding|a fast-flowing|a broad and sluggish|a clear mountain|a largely "
    "navigable|an unpredictable",
    "course": "first through gorges and then across open farmland|passing vineyards for most of "
    "the way|with several falls in its middle stretch|mainly in a westerly direction|in a wide "
    "arc around the uplands",
    "flowing": "known for its sudden floods|much used by rafts in former times|the subject of "
    "many songs|passing vineyards for most of the way|lined with the ruins of toll towers",
    "measure": "although older maps give less|counting every bend|a figure confirmed from the air|"
    "excluding the tidal stretch",
    "spring": "in a bog that never dries out|beneath a small stone chapel|where three springs "
    "meet in a hollow|just below the snow line",
    "upper": "tumbles through a chain of narrow gorges|winds between water meadows|runs straight "
    "for a long way|drops over eleven falls",
    "lower": "a last sluggish stretch|crossing a plain of reeds|passing under a great many bridges",
    "delta": "forming a marshy delta|where salt pans line the shore|between two stone lighthouses|"
    "with hardly any current left",
    "joined": "each of them larger than the one before|all from the same bank|none of them "
    "navigable",
    "cargo": "grain and bricks|salt and dried fish|marble blocks|barrels of tar",
    "fish": "grayling and pike|sturgeon|trout of great size|eels",
    "ferry": "worked by a cable|no bigger than a hay cart|free of charge on feast days|run by the "
    "same family for generations",
    "water": "brown with peat|a milky green|clear enough to count the stones|too cold for bathing",
    "legend": "a drowned bell that rings before a war|a miller's bride turned into a heron|a "
    "giant who tried to drink it dry|a buried silver plough",
    "trees": "alders and poplars|ancient oaks|willows|tall limes",
    "ice": "skating races are held below the bridges|carts may cross without paying toll|the "
    "mills fall silent",
    "weir": "swept away more than once|turned into a small power station|removed to let the "
    "salmon pass",
    "scenery": "the chalk cliffs|the beech woods|the ruined abbey|the terraced hills",
    "aland": "a thinly settled|a small mountainous|a fertile|a windswept|a long and narrow|a "
    "densely wooded",
    "borders": "bounded on two sides by the sea|on the old amber route|between high ranges and a "
    "shallow sea|once divided among eleven counts|with a jagged northern frontier",
    "terrain": "moor and pasture|steep valleys|lakes and birch woods|chalk downs|dry plateaus",
    "seat": "chosen after a long quarrel between two rival ports|where the old mint is also to be "
    "seen|a compact place of arcades and courtyards|home to the supreme court as well",
    "speech": "written in an alphabet of its own|spoken in at least nine dialects|taught "
    "everywhere since the school reform|related to none of its neighbours",
    "summit": "first climbed by a party of surveyors|covered with snow until midsummer|visible "
    "from every corner of the land|sacred to the herdsmen who graze its slopes",
    "massif": "keeps its snow until midsummer|carries a chain of weather stations|shuts out the "
    "rain clouds|draws climbers from abroad",
    "commerce": "shipped through a single free port|most of it bound for the south|taxed at a "
    "rate fixed by treaty",
    "flag": "a white heron on blue|three black keys|an oak branch over waves|a red sun with "
    "twelve rays",
    "assembly": "twice a year|in the open air|behind an unlocked door by ancient custom|for forty "
    "days each autumn",
    "coinage": "after a notorious forgery|on the model of a larger neighbour|during a shortage of "
    "silver",
    "holiday": "the end of a plague|the repeal of the window tax|a battle that nobody won|the "
    "return of the exiles",
    "land": "heath and bog|common pasture|forest owned by the church|too stony for the plough",
    "left": "for the mines overseas|to join the whaling fleets|in search of cheaper soil",
    "music": "drone pipes and hand drums|a fiddle with five strings|slow songs for three voices",
    "post": "famous for its stamps|run by former cavalrymen|delivered by boat in the marshes",
}
"""Phrases by slot, separated by bars."""
