"""English."""

SENTENCES = {
    "languages": "Languages",
    "skip": "Skip to the content",
    "sign_in": "Sign in",
    "email": "E-mail address",
    "password": "Password",
    "organization": "Organization",
    "choose": "Choose one",
    "wrong": "E-mail address and password do not match.",
    "incomplete": "Give your e-mail address and your password.",
    "ambiguous": "Several people have this address and password. Say in which organization, and enter the password again.",
    "sign_out": "Sign out",
    "sign_out_ask": "Sign out?",
    "signed_in_as": "You are signed in as {name}.",
    "limited": "Too many requests",
    "limited_more": "Wait {seconds} seconds, then try again.",
    "unavailable": "Not available at the moment",
    "unavailable_more": "Something on our side does not work. Try again soon.",
    "stale": "The page was open for too long",
    "stale_more": "Nothing was changed. Go back, load the page again, and repeat what you did.",
}
