"""Makes the accounts u0, u1, … with the passwords p0, p1, … in a server's own hashed form (SCRAM-SHA-256, RFC 5802).

The salt is a function of the account's address, so that a client's cached keys stay true when a server starts afresh.

    accounts.py prosody  --directory DATA --host HOST --first 0 --count 1000    one file per account
    accounts.py ejabberd --directory RUN  --host HOST --first 0 --count 1000    RUN/accounts.terms, for mod_count_copies
"""

import argparse
import base64
import hashlib
import hmac
import multiprocessing
import os
import sys

ITERATIONS = 4096


def keys(host, number):
    """(user, password, salt, stored key, server key) of an account; the salt is text, as Prosody keeps it."""
    user, password = f"u{number}", f"p{number}"
    salt = hashlib.sha256(f"{user}@{host}".encode()).hexdigest()[:32]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return user, password, salt, hashlib.sha256(client_key).digest(), server_key


def escape(text):
    """A name as Prosody spells it in paths: every byte that is no letter or digit becomes %xx."""
    return "".join(c if c.isascii() and c.isalnum() else f"%{ord(c):02x}" for c in text)


def prosody(host, number, directory, plain):
    user, password, salt, stored, server = keys(host, number)
    if plain:
        fields = {"password": f'"{password}"'}
    else:
        fields = {
            "stored_key": f'"{stored.hex()}"',
            "server_key": f'"{server.hex()}"',
            "salt": f'"{salt}"',
            "iteration_count": str(ITERATIONS),
        }
    body = "".join(f'\t["{key}"] = {value};\n' for key, value in fields.items())
    path = os.path.join(directory, escape(host), "accounts", f"{escape(user)}.dat")
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write("return {\n" + body + "};\n")
    os.replace(path + ".new", path)


def ejabberd(host, number, plain):
    """One Erlang term: {User, Host, Password} or {User, Host, StoredKey, ServerKey, Salt, Iterations}."""
    user, password, salt, stored, server = keys(host, number)
    if plain:
        return f'{{<<"{user}">>, <<"{host}">>, <<"{password}">>}}.\n'
    b64 = [base64.b64encode(value).decode() for value in (stored, server, salt.encode())]
    quoted = ", ".join(f'<<"{text}">>' for text in b64)
    return f'{{<<"{user}">>, <<"{host}">>, {quoted}, {ITERATIONS}}}.\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", choices=["prosody", "ejabberd"])
    parser.add_argument("--directory", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, required=True)
    options = parser.parse_args()
    plain = options.host.startswith("plain.")
    numbers = range(options.first, options.first + options.count)
    with multiprocessing.Pool() as pool:
        if options.server == "prosody":
            os.makedirs(os.path.join(options.directory, escape(options.host), "accounts"), exist_ok=True)
            tasks = [(options.host, number, options.directory, plain) for number in numbers]
            pool.starmap(prosody, tasks, chunksize=64)
        else:
            terms = pool.starmap(ejabberd, [(options.host, number, plain) for number in numbers], chunksize=64)
            with open(os.path.join(options.directory, "accounts.terms"), "w", encoding="ascii") as file:
                file.writelines(terms)


if __name__ == "__main__":
    sys.exit(main())
