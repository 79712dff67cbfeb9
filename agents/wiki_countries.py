"""Countries, the adjectives of their people, and the regions that name a country."""

from __future__ import annotations

import re

_PEOPLES = """
Afghan: Afghanistan; Albanian: Albania; Algerian: Algeria; American: United States;
Angolan: Angola; Argentine, Argentinian: Argentina; Armenian: Armenia; Australian: Australia;
Austrian: Austria; Azerbaijani: Azerbaijan; Bangladeshi: Bangladesh; Belarusian: Belarus;
Belgian, Flemish: Belgium; Bolivian: Bolivia; Bosnian: Bosnia and Herzegovina; Brazilian: Brazil;
British, English, Scottish, Welsh: United Kingdom; Bulgarian: Bulgaria; Burmese: Myanmar;
Byzantine: Byzantine Empire; Cambodian: Cambodia; Cameroonian: Cameroon;
Canadian, Québécois: Canada;
Chilean: Chile; Chinese: China; Colombian: Colombia; Congolese: Democratic Republic of the Congo;
Croatian: Croatia; Cuban: Cuba; Cypriot: Cyprus; Czech: Czech Republic;
Czechoslovak, Czechoslovakian: Czechoslovakia; Danish: Denmark; Dominican: Dominican Republic;
Dutch: Netherlands; Ecuadorian: Ecuador; Egyptian: Egypt; Estonian: Estonia; Ethiopian: Ethiopia;
Filipino, Filipina, Philippine: Philippines; Finnish: Finland; French: France; Georgian: Georgia;
German: Germany; Ghanaian: Ghana; Greek: Greece; Guatemalan: Guatemala; Haitian: Haiti;
Hawaiian: Hawaii; Honduran: Honduras; Hungarian: Hungary; Icelandic: Iceland; Indian: India;
Indonesian: Indonesia; Iranian, Persian: Iran; Iraqi: Iraq; Irish: Ireland; Israeli: Israel;
Italian: Italy; Ivorian: Ivory Coast; Jamaican: Jamaica; Japanese: Japan; Jordanian: Jordan;
Kazakh, Kazakhstani: Kazakhstan; Kenyan: Kenya; Korean: South Korea; Kuwaiti: Kuwait;
Kosovar: Kosovo; Laotian: Laos; Latvian: Latvia; Lebanese: Lebanon; Liberian: Liberia;
Libyan: Libya; Lithuanian: Lithuania; Luxembourgish: Luxembourg; Macedonian: North Macedonia;
Malagasy: Madagascar; Malaysian: Malaysia; Maltese: Malta; Mexican: Mexico; Moldovan: Moldova;
Mongolian: Mongolia; Montenegrin: Montenegro; Moroccan: Morocco; Mozambican: Mozambique;
Namibian: Namibia; Nepalese, Nepali: Nepal; Nicaraguan: Nicaragua; Nigerian: Nigeria;
Norwegian: Norway; Ottoman: Ottoman Empire; Pakistani: Pakistan; Palestinian: Palestine;
Panamanian: Panama; Paraguayan: Paraguay; Peruvian: Peru; Polish: Poland; Portuguese: Portugal;
Prussian: Prussia; Puerto Rican: Puerto Rico; Roman: Roman Empire; Romanian: Romania;
Russian: Russia; Rwandan: Rwanda; Salvadoran: El Salvador; Saudi, Saudi Arabian: Saudi Arabia;
Senegalese: Senegal; Serbian: Serbia; Singaporean: Singapore; Slovak: Slovakia;
Slovenian, Slovene: Slovenia; Somali: Somalia; South African: South Africa;
South Korean: South Korea; North Korean: North Korea; Soviet: Soviet Union; Spanish: Spain;
Sri Lankan: Sri Lanka; Sudanese: Sudan; Swedish: Sweden; Swiss: Switzerland; Syrian: Syria;
Taiwanese: Taiwan; Tanzanian: Tanzania; Thai: Thailand; Trinidadian: Trinidad and Tobago;
Tunisian: Tunisia; Turkish: Turkey; Ugandan: Uganda; Ukrainian: Ukraine; Uruguayan: Uruguay;
Uzbek, Uzbekistani: Uzbekistan; Venezuelan: Venezuela; Vietnamese: Vietnam; Yemeni: Yemen;
Yugoslav, Yugoslavian: Yugoslavia; Zambian: Zambia; Zimbabwean: Zimbabwe;
New Zealand: New Zealand; Hong Kong: Hong Kong; Kyrgyz, Kyrgyzstani: Kyrgyzstan; Tajik: Tajikistan;
Turkmen: Turkmenistan; Bahraini: Bahrain; Qatari: Qatar; Emirati: United Arab Emirates;
Omani: Oman; Catalan, Basque, Castilian: Spain; Bavarian: Germany; Bengali, Tamil: India
"""
_REGIONS = """
United Kingdom: England, Scotland, Wales, Northern Ireland, Great Britain, UK, Britain, London;
United States: USA, US, America, Alabama, Alaska, Arizona, Arkansas, California, Colorado,
Connecticut, Delaware, Florida, Idaho, Illinois, Indiana, Iowa, Kansas, Kentucky, Louisiana,
Maine, Maryland, Massachusetts, Michigan, Minnesota, Mississippi, Missouri, Montana, Nebraska,
Nevada, New Hampshire, New Jersey, New Mexico, New York, North Carolina, North Dakota, Ohio,
Oklahoma, Oregon, Pennsylvania, Rhode Island, South Carolina, South Dakota, Tennessee, Texas, Utah,
Vermont, Virginia, Washington, West Virginia, Wisconsin, Wyoming, Hollywood;
Canada: Ontario, Quebec, British Columbia, Alberta, Manitoba, Saskatchewan, Nova Scotia,
New Brunswick, Newfoundland;
Australia: New South Wales, Queensland, Tasmania, South Australia, Western Australia;
Myanmar: Burma; Thailand: Siam; Vietnam: Annam; Russia: St. Petersburg; Iran: Persia;
Netherlands: Holland; Antarctica: Antarctica; Greenland: Greenland;
India: Kerala, Tamil Nadu, Maharashtra, Karnataka, Punjab, Uttar Pradesh, Bollywood;
Ireland: Republic of Ireland; China: People's Republic of China; Germany: West Germany;
Czech Republic: Bohemia, Moravia
"""


def _entries(table: str) -> list[tuple[list[str], list[str]]]:
    lines = (entry.split(":") for entry in table.replace("\n", " ").split(";"))
    return [
        ([word.strip() for word in left.split(",")], [word.strip() for word in right.split(",")])
        for left, right in lines
    ]


COUNTRY_OF_PEOPLE = {word: right[0] for left, right in _entries(_PEOPLES) for word in left}
"""From an adjective ("Danish") to its country ("Denmark")."""
COUNTRY_OF_REGION = {word: left[0] for left, right in _entries(_REGIONS) for word in right} | {
    country: country for country in COUNTRY_OF_PEOPLE.values()
}
"""From a country or a part of one ("Texas") to the country."""


def _any_of(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_ONE_PEOPLE = _any_of(list(COUNTRY_OF_PEOPLE))
PEOPLE = re.compile(rf"(?<![\w-])(?:{_ONE_PEOPLE})(?!\w)")
"""Finds the adjective of a people."""
COMPOUND_PEOPLE = re.compile(
    rf"(?<![\w-])(?:(?:{_ONE_PEOPLE})(?:-born |[-\u2013] ?| ))*(?P<last>{_ONE_PEOPLE})(?!\w)"
)
"""Finds "Czech-born American" as a whole; `last` is the people that the person came to."""
REGION = re.compile(rf"(?<![\w-])(?:{_any_of(list(COUNTRY_OF_REGION))})(?![\w-])")
"""Finds a country or a region that names one."""


def countries_named(text: str) -> set[str]:
    """Return every country that a text names, by adjective or region."""
    return {COUNTRY_OF_PEOPLE[word] for word in PEOPLE.findall(text)} | {
        COUNTRY_OF_REGION[word] for word in REGION.findall(text)
    }


def country_named(text: str) -> str | None:
    """Return the country that a short text names, by adjective or region; None if it names none.

    >>> country_named("Danish"), country_named("Austin, Texas"), country_named("somewhere")
    ('Denmark', 'United States', None)
    """
    people = PEOPLE.search(text)
    if people:
        return COUNTRY_OF_PEOPLE[people[0]]
    places = REGION.findall(text)
    return COUNTRY_OF_REGION[places[-1]] if places else None
