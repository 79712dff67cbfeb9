"""Colour for the sentences about works and organisations, and all phrases together."""

from __future__ import annotations

from rmgym.envs.search.world_phrases import PEOPLE_AND_PLACES

_WORKS_AND_HOUSES: dict[str, str] = {
    "awork": "a late|an ambitious|a much-admired|a controversial|a comparatively short|an "
    "unusually sombre|a light-hearted|an influential|a rarely seen|a tightly built|a sprawling|a "
    "once forbidden|a mature|a gently ironic|an austere|a richly detailed|a melancholy",
    "reception": "coolly received at first and now widely loved|admired for its restraint|often "
    "described as a turning point|which divided opinion from the start|praised for its handling "
    "of silence|conceived during a long convalescence|begun in one mood and finished in another|"
    "unlike anything attempted before|the result of a private commission|which soon found "
    "imitators|loosely based on a country tale|made at great speed and hardly corrected|which "
    "took its first public by surprise",
    "standing": "generally placed among the finest of its time|better known abroad than at home|"
    "the most personal of its kind|a favourite with specialists|the subject of endless debate",
    "author": "who had been paid in advance|who later called it a mistake|working without any "
    "assistant|after many years of silence|who gave three different accounts of its origin",
    "while": "while recovering from a fever|in a rented attic|during a strike|in little more than "
    "six weeks|between two long journeys|to settle a wager",
    "when": "after several false starts|in the middle of a trade slump|a season later than "
    "promised|at the height of a fashion for such things|when public taste was already changing",
    "scene": "during a drought|on the eve of an election|over a single night of storms|in the "
    "weeks after a bank failure|at the time of the great frost|among the workers of a shipyard|"
    "while a new railway is being surveyed|during the last days of a long siege|over the course "
    "of a single harvest|in a boarding house for sailors|as an old quarter is about to be pulled "
    "down|between two carnivals",
    "hero": "a land surveyor who has lost a map|a retired judge with a guilty secret|a young "
    "ferry pilot|an interpreter caught between two families|the last heir of a ruined house|a "
    "travelling dentist|a schoolteacher accused of theft|a lighthouse keeper in love with a voice|"
    "the last speaker of a dying dialect|a bankrupt circus rider|a young widow who takes over a "
    "brickyard|a customs officer turned smuggler|a gravedigger with a fine tenor|the twin of a "
    "missing soldier|a runaway novice|a village doctor afraid of blood|an inventor nobody believes",
    "turn": "a forged letter|a wager between brothers|the sale of a single field|an unsigned will|"
    "a mistaken identity|a missing key",
    "flaw": "the length of the second part|the absence of a moral|its abrupt ending|an excess of "
    "weather",
    "sequel": "then abandoned for lack of money|never got beyond the opening|exists only as an "
    "outline",
    "episode": "a trial held in a barn|a dinner at which nobody speaks|the crossing of a frozen "
    "lake|a duel fought with umbrellas",
    "passages": "the description of weather|arguments about land|the routine of work|dreams and "
    "omens",
    "version": "by two sisters working together|in a version that restores the cuts|with notes "
    "for schools|for a festival edition",
    "reading": "a satire on bureaucracy|a lament for village life|a veiled confession|a reply to "
    "an older rival",
    "minor": "a quarrelsome midwife|two rival undertakers|a clerk who speaks in proverbs|a choir "
    "of customs officers",
    "issue": "in three slim volumes|after eleven other firms had declined|with woodcuts on every "
    "tenth page|in an edition of only four hundred copies|under a shorter working title",
    "ink": "violet ink on ledger paper|pencil throughout|a clear schoolroom hand",
    "narrator": "a lodger|an elderly nurse|several villagers in turn|the hero's brother",
    "budget": "on a very small budget|with money from a lottery|in two languages at once|over a "
    "single summer|despite the doubts of its backers",
    "camera": "with its long unbroken shots|restless and close to the faces|all done from ground "
    "level",
    "prints": "two prints|a single reel|four worn copies|fragments",
    "premiere": "before a half-empty house|with the composer in the pit|after a postponement of "
    "two seasons|in borrowed costumes|to an ovation lasting half an hour",
    "score": "two harps and a saw|eight offstage horns|a glass harmonica|a choir of boys",
    "overture": "a piece of nine minutes|quieter than any other of the period|built on a street "
    "cry",
    "light": "on a winter morning|seen through rain|at dusk with the lamps being lit|under a sky "
    "of torn cloud|during the spring thaw",
    "detail": "with a procession crossing the bridge|as it looked before the great fire|its "
    "rooftops reduced to bare shapes|seen from a boat",
    "hung": "where it has a wall to itself|having been given in lieu of taxes|as part of a "
    "permanent loan|next to a weaker version",
    "visible": "on two days of the week|behind protective glass|except in the summer months|by "
    "appointment",
    "size": "a tea tray|two hands across|an open newspaper|a kitchen drawer",
    "foreground": "a boy leads two oxen|women are bleaching linen|a dog sleeps beside a cart|"
    "three men argue over a boat",
    "removed": "a thick brown varnish|clumsy repairs|a false signature",
    "beneath": "a discarded portrait|an earlier harbour scene|the outline of a horse",
    "frame": "a plain band of walnut|carved with vine leaves|made from a ship's timber",
    "copies": "none has the same brilliance|most were made from prints|all of them reverse the "
    "composition",
    "owner": "a grain dealer|a retired admiral|the widow of a brewer|a country doctor",
    "found": "in a railway cloakroom|rolled up inside a stove pipe|at a village auction",
    "ahouse": "a small independent|a well-known|an unusually wealthy|a privately run|a "
    "respected|an adventurous",
    "founder": "who put a whole inheritance into it|who ran it single-handed for a decade|against "
    "the advice of every banker in town|who is buried in the courtyard|as a memorial to a brother",
    "rank": "one of the liveliest of its kind|known for taking risks|noted for the "
    "loyalty of its staff|often named as a model by its rivals|larger than it looks from the "
    "street",
    "capital": "with borrowed money|in a disused chapel|after a public subscription|with a staff "
    "of four|as the result of a lost bet",
    "premises": "in a former corn exchange|behind a plain brick front|in a street of chestnut "
    "trees|close to the old harbour|above a covered market",
    "head": "elected after a tied vote|who rose from the post room|the first to come from outside|"
    "known for brisk economies",
    "archive": "saved from a damp cellar|running to forty metres of shelves|still only half "
    "catalogued",
    "crisis": "during a paper shortage|after the collapse of a bank|when the roof fell in|in the "
    "course of a lawsuit",
    "emblem": "a hand holding a lantern|a crowned beetle|a ladder and a star|an open gate",
    "prize": "a year's rent|a gold watch|a hundred nights' lodging|its weight in coffee",
    "mocked": "paying beginners a wage|opening on Sundays|keeping no waiting list|admitting "
    "children",
    "staff": "barely thirty|about two hundred|just under a hundred|some sixty people",
    "rules": "on a single sheet|by a committee of widows|in verse|during one sleepless night",
    "teaching": "each with a building of its own|with a common first year|though students may "
    "move freely between them",
    "library": "charts and travel diaries|a herbarium in forty volumes|papyri|early printed "
    "almanacs",
    "admitted": "by lot|after an oral examination|at any age|only in even years",
    "list": "travel and natural history|dictionaries|memoirs|cheap editions of forgotten classics",
    "binding": "in undyed linen|of dark green cloth|with marbled edges",
    "props": "ships and stage coaches|artificial trees|model towns",
    "backlot": "a false street|an orchard with painted fruit|a water tank the size of a pond",
    "lit": "by daylight alone|through high side windows|by shaded lamps",
    "besides": "a collection of playing cards|a thousand lace patterns|death masks|ship models",
    "chorus": "local amateurs|retired teachers|bakers and postmen",
    "season": "from November to March|through the spring|for eleven weeks",
}

PHRASES: dict[str, tuple[str, ...]] = {
    slot: tuple(text.split("|")) for slot, text in (PEOPLE_AND_PLACES | _WORKS_AND_HOUSES).items()
}
"""What a slot `{x_<name>}` may become."""
