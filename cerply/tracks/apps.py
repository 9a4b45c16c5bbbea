from django.apps import AppConfig


class TracksConfig(AppConfig):
    name = "cerply.tracks"
    label = "tracks"
    verbose_name = "Tracks"
