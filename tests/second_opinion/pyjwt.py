"""Says what PyJWT thinks of tokens, by the rules that waxseal judges them by.

    python pyjwt.py FILE

The first line of FILE holds the rules: the moment, the leeway, the issuer, the audience, and the keys. Each line after it
holds a token, as JSON text. For each there is a line of output: "allow", or why PyJWT refuses it.
"""

import json
import sys
import warnings
from datetime import datetime, timezone
from unittest import mock

import jwt


def verdict(token, rules, keys):
    """What PyJWT says with the key that the token names, or with any where it names none."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError as error:
        return f"{type(error).__name__}: {error}"
    refusal = "no key of that name"
    for key in keys:
        if kid is not None and key.key_id != kid:
            continue
        try:
            jwt.decode(
                token,
                key=key,
                algorithms=[key.algorithm_name],
                audience=rules["audience"],
                issuer=rules["issuer"],
                leeway=rules["leeway"],
                options={"require": ["exp", "sub"]},
            )
            return "allow"
        except jwt.PyJWTError as error:
            # The refusal of the key that came furthest: one of another algorithm says nothing about the token.
            if not isinstance(error, (jwt.InvalidAlgorithmError, jwt.InvalidSignatureError)) or refusal.startswith("no "):
                refusal = f"{type(error).__name__}: {error}"
    return refusal


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        rules = json.loads(next(lines))
        keys = [jwt.PyJWK(key) for key in rules["keys"]]
        moment = datetime.fromtimestamp(rules["now"], tz=timezone.utc)
        warnings.simplefilter("ignore")
        with mock.patch("jwt.api_jwt.datetime") as clock:
            clock.now.return_value = moment
            for line in lines:
                print(json.dumps(verdict(json.loads(line), rules, keys)))


main()
