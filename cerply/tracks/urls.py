"""Tracks and items, below ``/api``."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
