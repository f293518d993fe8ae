"""A mail server that fails on purpose: mail_server.py FOLDER PORT [CERTIFICATE KEY smtps|starttls]

FOLDER/mood says how: takes, busy (451), refuses (550), cuts (has the letter, and breaks off before it says so) or silent
(has it, and never says so). FOLDER/letters.ndjson gets a line for each letter that has come.
With a certificate it speaks TLS, and lets nobody in but `andon` with the password `hunter2`.
"""

import asyncio
import hashlib
import json
import os
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult

folder, port = sys.argv[1], int(sys.argv[2])


def mood():
    with open(os.path.join(folder, "mood")) as file:
        return file.read().strip()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if mood() == "busy":
            return "451 4.3.0 come again later"
        if mood() == "refuses":
            return f"550 5.1.1 <{address}>: nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.original_content, policy=policy.default)
        letter = {
            "id": mail["Message-ID"],
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "head_to": mail["To"],
            "subject": mail["Subject"],
            "text": mail.get_content().replace("\r\n", "\n").strip(),
            "hash": hashlib.sha256(envelope.original_content).hexdigest(),
            "is_tls": server.transport.get_extra_info("ssl_object") is not None,
            "taken": mood() == "takes",
        }
        with open(os.path.join(folder, "letters.ndjson"), "a") as file:
            file.write(json.dumps(letter) + "\n")
        if mood() == "cuts":
            server.transport.abort()
        if mood() == "silent":
            await asyncio.sleep(60)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, given):
    return AuthResult(success=(given.login, given.password) == (b"andon", b"hunter2"))


async def main():
    outer, options = None, {}
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        options = {"authenticator": authenticate, "auth_required": True}
        if sys.argv[5] == "smtps":
            outer, options["auth_require_tls"] = context, False
        else:
            options |= {"tls_context": context, "require_starttls": True}

    def protocol():
        return SMTP(Handler(), hostname="sink.example", enable_SMTPUTF8=True, **options)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port, ssl=outer)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
