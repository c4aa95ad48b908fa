"""Looks into a result for a story: `result.py FILE 'expression' …` prints each expression's value, one per line.

In an expression `r` is the result; `message`, `groupchat` and `presence` are its accounts of copies; `login` and `delivery`
the operations' numbers in measured phases; `steady` is the phase of that name. `attempts(OPERATION, OUTCOME…)` tells how many
attempts in all phases ended so, or so in some way ("indeterminate"). An account whose equation does not hold is an error,
whatever is asked.

    --count JSON    what a server counted (`scripts/servers NAME count`): `count`
    --kind KIND     beside it, the account of one kind, `ours`, and the server's, `theirs`; all copies of it the server wrote,
                    `written`, and all we read, `read`: each stands in one column
"""

import argparse
import json

READ = ("delivered", "duplicated", "replayed", "stale", "misdelivered")
WRITTEN = ("copies", "replayed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("expressions", nargs="+")
    parser.add_argument("--count", type=json.loads)
    parser.add_argument("--kind")
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        r = json.load(file)
    check_equations(parser, r)
    names = names_of(r) | {"count": options.count}
    if options.kind:
        ours, theirs = r["ledger"][options.kind], options.count[options.kind]
        names |= {"ours": ours, "theirs": theirs}
        names |= {"read": sum(ours[column] for column in READ), "written": sum(theirs[column] for column in WRITTEN)}
    for expression in options.expressions:
        print(eval(expression, names))  # noqa: S307: the expressions stand in the stories


def check_equations(parser, r):
    for place in (r, *r["phases"]):
        for kind, account in place["ledger"].items():
            settled = sum(account[column] for column in ("delivered", "lost", "failed", "indeterminate"))
            if account["expected"] != settled:
                parser.exit(1, f"the {kind} account of {place.get('name', 'the run')} does not add up: {account}\n")


def names_of(r):
    def attempts(operation, *outcomes):
        ended = [phase["operations"].get(operation, {"outcomes": {}})["outcomes"] for phase in r["phases"]]
        return sum(number for phase in ended for name, number in phase.items() if name.startswith(outcomes))

    operations = r["operations"]
    return {
        "r": r,
        "message": r["ledger"]["message"],
        "groupchat": r["ledger"].get("groupchat"),
        "presence": r["ledger"].get("presence"),
        "attempts": attempts,
        "login": operations.get("login", {}),
        "delivery": operations.get("message.delivery", {}),
        "steady": next((phase for phase in r["phases"] if phase["name"] == "steady"), None),
    }


if __name__ == "__main__":
    main()
