"""Telling the organizations' own systems what was reached."""
