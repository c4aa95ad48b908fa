"""Looks into a result for a story: `result.py FILE 'expression' …` prints each expression's value, one per line.

In an expression `r` is the result; `message`, `groupchat` and `presence` are its accounts of copies; `login` and `delivery`
the operations' numbers in measured phases; `steady` is the phase of that name. `attempts(OPERATION, OUTCOME…)` tells how many
attempts in all phases ended so, or so in some way ("indeterminate"). An account whose equation does not hold is an error,
whatever is asked.
"""

import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        r = json.load(file)
    operations = r["operations"]

    def attempts(operation, *outcomes):
        ended = [phase["operations"].get(operation, {"outcomes": {}})["outcomes"] for phase in r["phases"]]
        return sum(
            number for phase in ended for name, number in phase.items() if name.startswith(outcomes)
        )

    names = {
        "r": r,
        "message": r["ledger"]["message"],
        "groupchat": r["ledger"].get("groupchat"),
        "presence": r["ledger"].get("presence"),
        "attempts": attempts,
        "login": operations.get("login", {}),
        "delivery": operations.get("message.delivery", {}),
        "steady": next((phase for phase in r["phases"] if phase["name"] == "steady"), None),
    }
    for place in (r, *r["phases"]):
        for kind, account in place["ledger"].items():
            settled = sum(account[column] for column in ("delivered", "lost", "failed", "indeterminate"))
            if account["expected"] != settled:
                sys.exit(f"the {kind} account of {place.get('name', 'the run')} does not add up: {account}")
    for expression in sys.argv[2:]:
        print(eval(expression, names))  # noqa: S307: the expressions stand in the stories


if __name__ == "__main__":
    main()
