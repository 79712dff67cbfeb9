"""The sentences of the encyclopaedia, part one: people, towns, rivers and regions.

A slot in braces is one of: a relation (`{born_in}`), the subject in full (`{S}`), the subject again
(`{Sub}`, `{sub}`: a pronoun or a short name), a pronoun (`{he}`, `{His}`, `{him}`), the form of the
subject (`{form}`, `{a_form}`) or a phrase drawn from `PHRASES` (`{x_...}`). The writer fills the
slots and the extractor reads the relations back, both from these same sentences.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Article:
    """What an article of one kind may be put together from."""

    openers: tuple[str, ...]
    """First sentences."""
    body: tuple[str, ...]
    """Sentences that state facts."""
    fillers: tuple[str, ...]
    """Sentences that state nothing that is ever asked."""


PERSON = Article(
    openers=(
        "{S} ({x_day} {birth_year} - {x_day} {death_year}) was {a_occupation} {x_fame}.",
        "{S} ({birth_year}-{death_year}), {a_occupation} {x_fame}, {x_deed}.",
        "Born in {birth_year}, {S} was {a_occupation} {x_fame} and went on working almost until "
        "{his} death in {death_year}.",
        "{S}, who lived from {birth_year} to {death_year}, was {a_occupation} {x_fame}.",
        "{S}, {a_occupation} born at {born_in} in {birth_year}, {x_deed} in the decades before "
        "{his} death in {death_year}.",
        "{S} (born {x_day} {birth_year} in {born_in}, died {death_year}) was {a_occupation} "
        "{x_fame}.",
    ),
    body=(
        "{Sub} was born in {born_in}, {x_parents}.",
        "{Sub} came from {born_in}, where {his} parents {x_trade}.",
        "A native of {born_in}, {sub} {x_childhood}.",
        "{His} birthplace was {born_in}, but the family moved often, and {sub} {x_childhood}.",
        "{Sub} was born in {born_in} and later read {x_subject} at {studied_at}, {x_manner}.",
        "From {born_in}, where {he} was born, {sub} went to {studied_at} to read {x_subject}.",
        "{Sub} studied {x_subject} at {studied_at}, {x_manner}.",
        "After some years with private tutors {sub} entered {studied_at}, where {he} read "
        "{x_subject}.",
        "{His} studies at {studied_at}, begun in {x_subject}, were finished {x_manner}.",
        "{Sub} studied at {studied_at} and was afterwards a pupil of {teacher}, {x_lesson}.",
        "{His} teacher was {teacher}, {x_lesson}.",
        "{Sub} learned the craft from {teacher}, whose advice {he} quoted all {his} life.",
        "As a pupil of {teacher}, {sub} {x_apprentice}.",
        "{Sub} {made} three {works} that survive, {work}, and {x_oeuvre}.",
        "The three surviving {works} that {sub} {made} are {work}, which {x_trio}.",
        "{His} {works}, all three of them still admired, are {work}.",
        "{Sub} spent {his} last years in {died_in}, where {he} died {x_end}.",
        "{Sub} died in {died_in}, leaving {x_estate}.",
        "{Sub} was living in {died_in} at the end and died there {x_end}.",
        "{Sub} moved to {died_in} late in life and died there {x_end}.",
    ),
    fillers=(
        "{Sub} kept a diary {x_often}, and most of it has never been printed.",
        "A portrait by an unknown hand shows {him} {x_pose}.",
        "Contemporaries describe {him} as {x_temper}, and {his} letters bear this out.",
        "{His} marriage to a childhood friend was, by every account, {x_marriage}.",
        "In middle age {sub} travelled widely and sent home long reports about {x_topic}.",
        "Critics have never agreed about {him}: some praise {x_virtue}, others miss it entirely.",
        "Much of what is known about {him} comes from {x_witness}.",
        "{Sub} refused two public honours because, as {he} put it, {x_reason}.",
        "A fire destroyed part of {his} papers, but {x_saved} came through unharmed.",
        "Outside {his} profession {sub} was devoted to {x_hobby}.",
        "For a time {sub} earned a modest living by {x_job}.",
        "An exhibition about {his} life toured several towns, and its catalogue remains {x_value}.",
    ),
)

TOWN = Article(
    openers=(
        "{S} is {x_atown} town in {region}, {x_location}.",
        "{S} is a town of {population} inhabitants in {region}, {x_location}.",
        "{S} is {x_atown} town in {region} that stands on {river}, {x_location}.",
        "Lying on {river}, {S} is {x_atown} town in {region}.",
        "{S}, {x_atown} town in {region}, has been known for {product} since its earliest days.",
    ),
    body=(
        "{Sub} stands on {river}, which {x_stream}.",
        "The old quarter looks out over {river}, and {x_view}.",
        "Its position on {river} made {sub} {x_fortune}.",
        "At the last count {sub} had {population} inhabitants, {x_count}.",
        "The population, given as {population} in the most recent census, {x_trend}.",
        "{Sub} received its charter in {chartered}, {x_charter}.",
        "A charter of {chartered} gave the citizens {x_right}.",
        "Chartered in {chartered}, {sub} now has {population} inhabitants, {x_count}.",
        "{Sub} is known for {product}, {x_craft}.",
        "Visitors come chiefly for {product}, the speciality of the place, {x_craft}.",
        "The chief trade of {short} has long been the making of {product}, {x_craft}.",
        "{Sub} takes its present name from {eponym}, {x_namesake}.",
        "The present name honours {eponym}, {x_namesake}.",
    ),
    fillers=(
        "The town hall, rebuilt after a fire, is {x_hall}.",
        "A narrow-gauge railway once ran to the coast, but {x_railway}.",
        "Every {x_month} a fair fills the main square with {x_fair}.",
        "The parish church keeps {x_relic}, which scholars have dated with some difficulty.",
        "Its streets are laid out {x_streets}, a plan that puzzles most newcomers.",
        "Winters here are {x_winter}, and the older houses were built with this in mind.",
        "A small museum near the station shows {x_museum}.",
        "Local cooking relies on {x_food}, usually served with dark bread.",
        "Floods in the spring once carried away {x_flooded}, and a line cut in the wall of the "
        "granary marks the height of the water.",
        "A grammar school and {x_service} serve the villages round about.",
    ),
)

RIVER = Article(
    openers=(
        "{S} is {x_ariver} river in {region}, {length} long.",
        "{S} flows for {length} through {region}, {x_course}.",
        "{S} is {x_ariver} river in {region}, {x_flowing}.",
        "Rising on {source}, {S} is {x_ariver} river in {region}.",
    ),
    body=(
        "Its length is usually given as {length}, {x_measure}.",
        "Surveyors put its length at {length}, {x_measure}.",
        "It rises on {source}, {x_spring}.",
        "Its source lies high on {source}, {x_spring}.",
        "From its source on {source} it {x_upper} before emptying into {mouth}.",
        "It empties into {mouth}, {x_delta}.",
        "After {x_lower} it reaches {mouth}, {x_delta}.",
        "From source to mouth its tributaries are {tributary}.",
        "Going downstream, it takes in {tributary}, {x_joined}.",
        "Three tributaries feed it, in this order from the source: {tributary}.",
    ),
    fillers=(
        "Barges carried {x_cargo} along its lower reaches until the roads were improved.",
        "Anglers prize it for {x_fish}, although the catch has fallen in recent decades.",
        "A ferry, {x_ferry}, still crosses it where the valley is widest.",
        "Its water is {x_water} for much of the year.",
        "Legends about it speak of {x_legend}.",
        "The banks are lined with {x_trees}, among which herons nest.",
        "In hard winters it freezes over, and {x_ice}.",
        "A weir built for the mills was {x_weir}.",
        "Painters have long been drawn to {x_scenery}, which {sub} crosses in a deep bend.",
    ),
)

REGION = Article(
    openers=(
        "{S} is {x_aland} {form} {x_borders}.",
        "{S} is {x_aland} {form} whose capital is {capital}.",
        "{S}, {x_aland} {form} {x_borders}, is governed from its capital, {capital}.",
        "The {form} of {S}, {x_borders}, is {x_aland} land of {x_terrain}.",
    ),
    body=(
        "Its capital is {capital}, {x_seat}.",
        "The government sits in {capital}, the capital, {x_seat}.",
        "The official language is {language}, {x_speech}.",
        "Schools and courts use {language}, the official language, {x_speech}.",
        "Its highest point is {peak}, {x_summit}.",
        "{Sub} rises towards the interior, where {peak}, the highest mountain, {x_massif}.",
        "Its main exports are {export}, {x_commerce}.",
        "{Sub} lives by trade, and its main exports are {export}.",
    ),
    fillers=(
        "The flag shows {x_flag}, a device of disputed origin.",
        "An assembly meets {x_assembly} and debates in public.",
        "The coinage was reformed {x_coinage}, which made the older pieces rare.",
        "Its national holiday recalls {x_holiday} and is kept with bonfires.",
        "Much of the land is {x_land}, and villages keep to the sheltered valleys.",
        "Emigration was heavy in hard years, when whole families left {x_left}.",
        "Folk music here is built on {x_music}, a sound that collectors noted with surprise.",
        "The postal service, {x_post}, is the pride of its citizens.",
    ),
)
