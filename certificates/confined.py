"""What is done with a stranger's file, in a process of its own: ``python -m certificates.confined TASK < file``.

It answers with JSON. A second of CPU, some memory, no file to write: whoever needs more is killed, see
`certificates.confinement`, which starts it.
"""

import base64
import json
import resource
import signal
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any

CPU_SECONDS = 1.0
MEMORY = 768 * 1024 * 1024
# As large as a credential may be; what is longer is none of ours.
LARGEST_ATTACHMENT = 64 * 1024


def digest_task() -> Callable[[bytes], dict[str, Any]]:
    """The digest that the document's proof would have to sign, in hex; empty where there is none."""
    from pyld.jsonld import JsonLdError

    from certificates import proofs

    def digest(content: bytes) -> dict[str, Any]:
        document = json.loads(content)
        try:
            return {"digest": proofs.digest(document, document["proof"]).hex()}
        except (JsonLdError, ValueError, LookupError, TypeError):
            # What is no JSON-LD has none.
            return {"digest": ""}

    return digest


def attachment_task() -> Callable[[bytes], dict[str, Any]]:
    """The one file that is attached to a PDF, in base64; or the problem with it."""
    import pypdf
    from pypdf.errors import PyPdfError

    def attachment(content: bytes) -> dict[str, Any]:
        try:
            reader = pypdf.PdfReader(BytesIO(content))
            if reader.is_encrypted:
                return {"problem": "encrypted"}
            attached = [content for name in reader.attachments for content in reader.attachments[name]]
        except (
            PyPdfError,
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
            RecursionError,
        ):
            # Whatever the library stumbles over, the file is not one of ours.
            return {"problem": "unreadable"}
        if len(attached) != 1:
            return {"problem": "several" if attached else "none"}
        if len(attached[0]) > LARGEST_ATTACHMENT:
            return {"problem": "effort"}
        return {"attachment": base64.b64encode(attached[0]).decode()}

    return attachment


# Each makes its task ready first, for what is imported then is not the file's fault.
TASKS = {"digest": digest_task, "attachment": attachment_task}


def confine() -> None:
    """From here on: so much CPU and memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # SIGPROF ends the process; the limit, in whole seconds, is for the case that it does not.
    used = resource.getrusage(resource.RUSAGE_SELF)
    whole = int(used.ru_utime + used.ru_stime + CPU_SECONDS) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)


def main() -> None:
    task = TASKS[sys.argv[1]]()
    content = sys.stdin.buffer.read()
    confine()
    json.dump(task(content), sys.stdout)


if __name__ == "__main__":
    main()
