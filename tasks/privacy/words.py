"""What looks sensitive by its name: attributes that law or decency protects, as the words of a column's name tell them."""

from __future__ import annotations

import re
import unicodedata

WORDS = {
    "sex": "sex gender male female man woman geschlecht sexe sexo sexual orientation pregnant pregnancy maternity",
    "origin": "race racial ethnicity ethnic ethnie black white hispanic hispan latino latina asian caucasian tribe caste "
    "skin native nationality national citizenship citizen immigrant immigration foreign foreigner birthplace",
    "age": "age ages birth birthday birthdate born dob yob alter edad",
    "belief": "religion religious faith church political party union",
    "health": "health medical diagnosis disease disability disabled disabilities handicap illness genetic veteran",
    "family": "marital marriage married divorced widowed spouse husband wife relationship",
}
MEANING = {word: meaning for meaning, words in WORDS.items() for word in words.split()}


def words(name: str) -> list[str]:
    """The words of a column's name, in lower case and without accents.

    >>> words("maritalStatus"), words("applicant_SEX2"), words("HTTPAge"), words("mortgage")
    (['marital', 'status'], ['applicant', 'sex'], ['http', 'age'], ['mortgage'])
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    apart = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", plain)
    return [word.lower() for word in re.findall(r"[A-Za-z]+", apart)]


def sensitive(name: str) -> str:
    """What a name says that is protected, or nothing.

    >>> sensitive("date_of_birth"), sensitive("nativeCountry"), sensitive("mortgage")
    ("the word 'birth' in its name tells of age", "the word 'native' in its name tells of origin", '')
    """
    for word in words(name):
        if word in MEANING:
            return f"the word {word!r} in its name tells of {MEANING[word]}"
    return ""
