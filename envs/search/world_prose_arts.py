"""The sentences of the encyclopaedia, part two: works and the organisations behind them."""

from __future__ import annotations

from rmgym.envs.search.world_prose import PERSON, REGION, RIVER, TOWN, Article

_WORK_OPENERS = (
    "{S} is {x_awork} {form} {made} by {creator}, {x_reception}.",
    "{S} is {x_awork} {form} of {year}, {x_reception}.",
    "{S} is {x_awork} {year} {form} by {creator}.",
    "{S}, {x_awork} {form} by {creator}, dates from {year} and is {x_standing}.",
    "{S} is {x_awork} {form} {made} by {creator} in {year}.",
)
_WORK_BODY = (
    "It was {made} by {creator}, {x_author}.",
    "{creator} {made_active} {sub} {x_while}.",
    "{Sub} dates from {year}, {x_when}.",
    "{Sub} was finished in {year}, {x_when}.",
)
_STORY_BODY = (
    "{Sub} is set in {setting}, {x_scene}.",
    "The action takes place in {setting}, {x_scene}.",
    "The plot follows {hero}, {x_hero}.",
    "At its centre stands {hero}, {x_hero}.",
    "Set in {setting}, it follows {hero}, {x_hero}.",
    "The hero of the piece is {hero}, {x_hero}.",
)
_STORY_FILLERS = (
    "Much of the story turns on {x_turn}, which is explained only at the very end.",
    "Early reviewers complained about {x_flaw}, yet audiences were never in doubt.",
    "A sequel was planned and {x_sequel}.",
    "Its best-known episode, {x_episode}, is often quoted on its own.",
    "The language is plain, and long passages are given over to {x_passages}.",
    "{Sub} has been translated several times, most recently {x_version}.",
    "Scholars read it as {x_reading}, a view that its maker always rejected.",
    "The minor figures include {x_minor}, drawn with evident affection.",
)

NOVEL = Article(
    openers=_WORK_OPENERS,
    body=(
        *_WORK_BODY,
        *_STORY_BODY,
        "{house} published it {x_issue}.",
        "The first edition was published by {house} {x_issue}.",
        "{Sub} came out in {year} and was published by {house}.",
    ),
    fillers=(
        *_STORY_FILLERS,
        "The manuscript, in {x_ink}, survives almost complete.",
        "It is told by {x_narrator}, whose memory cannot always be trusted.",
    ),
)
FILM = Article(
    openers=_WORK_OPENERS,
    body=(
        *_WORK_BODY,
        *_STORY_BODY,
        "{Sub} was produced by {house} {x_budget}.",
        "{house} produced it {x_budget}.",
        "Shooting ended in {year}, and {house} is named as the producer.",
    ),
    fillers=(
        *_STORY_FILLERS,
        "The camera work, {x_camera}, was much imitated.",
        "Only {x_prints} of the original version are known to survive.",
    ),
)
OPERA = Article(
    openers=_WORK_OPENERS,
    body=(
        *_WORK_BODY,
        *_STORY_BODY,
        "{Sub} was first staged by {house} {x_premiere}.",
        "{house} gave the first performance {x_premiere}.",
        "The first production, by {house}, took place {x_premiere}.",
    ),
    fillers=(
        *_STORY_FILLERS,
        "The score calls for {x_score}, an unusual demand at the time.",
        "Its overture, {x_overture}, is a favourite in the concert hall.",
    ),
)
PAINTING = Article(
    openers=_WORK_OPENERS,
    body=(
        *_WORK_BODY,
        "{Sub} shows {setting} {x_light}.",
        "The scene is a view of {setting} {x_light}.",
        "It depicts {setting}, {x_detail}.",
        "{Sub} hangs in {house}, {x_hung}.",
        "Its home is {house}, {x_hung}.",
        "It was bought by {house} and can be seen there {x_visible}.",
    ),
    fillers=(
        "The canvas measures little more than {x_size}, smaller than most visitors expect.",
        "In the foreground {x_foreground}, a group repeated in several later sketches.",
        "A cleaning removed {x_removed} and brought back the cool colours of the sky.",
        "X-rays have shown {x_beneath} underneath the present surface.",
        "The frame, {x_frame}, is thought to be original.",
        "Copies by pupils exist, but {x_copies}.",
        "Its first owner, {x_owner}, kept it over the fireplace for thirty years.",
        "Thieves once carried it off, and it was found again {x_found}.",
    ),
)

_HOUSE_OPENERS = (
    "{S} is {x_ahouse} {form} with its seat in {seat}.",
    "{S} is {x_ahouse} {form} founded by {founder}, {x_founder}.",
    "{S} is {x_ahouse} {form} established in {founded}, {x_rank}.",
    "{S}, {x_ahouse} {form} founded in {founded} by {founder}, is {x_rank}.",
)
_HOUSE_BODY = (
    "{Sub} was founded by {founder}, {x_founder}.",
    "Its founder was {founder}, {x_founder}.",
    "{founder} founded {sub} in {founded}, {x_capital}.",
    "{Sub} was established in {founded}, {x_capital}.",
    "The history of {short} begins in {founded}, {x_capital}.",
    "{Sub} has its seat in {seat}, {x_premises}.",
    "The main building of {short} stands in {seat}, {x_premises}.",
)
_HEAD_BODY = (
    "Its present head is {head}, {x_head}.",
    "{head}, {x_head}, is the present head of {short}.",
)
_HOUSE_FILLERS = (
    "An archive of letters and accounts, {x_archive}, is open to researchers.",
    "{Sub} nearly closed {x_crisis}, and was saved by a public collection.",
    "Its emblem, {x_emblem}, appears above the entrance.",
    "A yearly prize for beginners, worth {x_prize}, draws entries from far away.",
    "Rivals mocked it at first for {x_mocked}, and later copied the idea.",
    "The staff numbers {x_staff}, many of whom have served for decades.",
    "Its rules, drawn up {x_rules}, have hardly been altered since.",
)


def _house(*fillers: str) -> Article:
    return Article(_HOUSE_OPENERS, (*_HOUSE_BODY, *_HEAD_BODY), (*_HOUSE_FILLERS, *fillers))


UNIVERSITY = Article(
    openers=_HOUSE_OPENERS,
    body=(
        *_HOUSE_BODY,
        "{Sub} has three faculties: {faculty}.",
        "Teaching is divided among the faculties of {faculty}, {x_teaching}.",
    ),
    fillers=(
        *_HOUSE_FILLERS,
        "The library owns {x_library}, gathered over many generations.",
        "Students are admitted {x_admitted}, a custom that other schools have given up.",
    ),
)

ARTICLES: dict[str, Article] = {
    "person": PERSON,
    "town": TOWN,
    "river": RIVER,
    "region": REGION,
    "novel": NOVEL,
    "film": FILM,
    "opera": OPERA,
    "painting": PAINTING,
    "university": UNIVERSITY,
    "publisher": _house(
        "Its list is strongest in {x_list}, with a few volumes of verse.",
        "The bindings, {x_binding}, are prized by collectors.",
    ),
    "studio": _house(
        "Its workshops built {x_props} that were hired out to competitors.",
        "Two stages and {x_backlot} make up the grounds.",
    ),
    "gallery": _house(
        "The rooms are lit {x_lit}, and no more than forty visitors are let in at once.",
        "Besides pictures {sub} owns {x_besides}, seldom shown.",
    ),
    "opera company": _house(
        "Its chorus is made up of {x_chorus}, and rehearsals are open to all.",
        "The season runs {x_season}, with a break for repairs to the stage.",
    ),
}
"""What an article may say, by the kind of its subject or, for works and houses, by their form."""
