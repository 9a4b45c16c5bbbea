"""Under which licences that stands which the image has in it, as the packages themselves say."""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
LOCK = CHECKOUT / "requirements-production.lock"
# Of packages whose metadata do not say it, from the licence files that they bring.
SAID_ELSEWHERE = {
    "pyphen": "GPL-2.0-or-later OR LGPL-2.1-or-later OR MPL-1.1",
    "resvg-py": "MIT",
}
# Of packages that say it in prose alone.
IN_PROSE = {
    "MIT License": "MIT",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def licences() -> dict[str, str]:
    """By package, as SPDX expressions; of those that this machine needs."""
    names = re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text(), re.MULTILINE)
    found = {}
    for name in sorted(names, key=str.lower):
        try:
            found[name] = _of(distribution(name))
        except PackageNotFoundError:  # for another system
            continue
    return found


def _of(package: Distribution) -> str:
    said = package.metadata
    if expression := said.get("License-Expression"):
        return str(expression)
    if elsewhere := SAID_ELSEWHERE.get(package.name.replace("_", "-")):
        return elsewhere
    classifiers = [each.rpartition(" :: ")[2] for each in said.get_all("Classifier") or [] if "License ::" in each]
    text = said.get("License", "").strip()
    known = [IN_PROSE[each] for each in [*classifiers, text] if each in IN_PROSE]
    return known[0] if known else text
