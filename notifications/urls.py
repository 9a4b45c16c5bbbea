"""The managers' inbox, below ``/api``."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
