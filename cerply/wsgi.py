"""The WSGI application: ``cerply.wsgi:application``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cerply.settings")

application = get_wsgi_application()

# It needs the applications that were set up just now.
from certificates.checks import refuse_another_host  # noqa: E402

refuse_another_host()
