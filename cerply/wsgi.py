"""The WSGI application: ``cerply.wsgi:application``."""

import os

import django

from cerply.serving import Application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cerply.settings")

django.setup(set_prefix=False)

application = Application()

# It needs the applications that were set up just now.
from certificates.checks import refuse_another_host  # noqa: E402

refuse_another_host()
