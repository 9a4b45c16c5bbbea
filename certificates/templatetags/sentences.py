"""``{% say "headline.valid" %}``: a sentence in the language of the page."""

from typing import Any

from django import template

from certificates import sentences

register = template.Library()


@register.simple_tag(takes_context=True)
def say(context: Any, key: str, **arguments: Any) -> str:
    return sentences.say(key, context["language"], **arguments)
