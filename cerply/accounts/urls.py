"""People, teams and sign-in, below ``/api``."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
