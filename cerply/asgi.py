"""The ASGI application: ``cerply.asgi:application``."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cerply.settings")

application = get_asgi_application()
