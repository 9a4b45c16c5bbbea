"""English."""

SENTENCES = {
    # -- an event: the subject of a mail about it alone, and a line in one about many --
    "event.level_up": "{learner} reached the level {level} in {track}",
    "event.badge": "{learner} earned the badge “{badge}”",
    "event.certificate": "{learner} earned a certificate: {track}",
    "event.at_risk.comprehension": "{learner} may need help: few of the latest answers in {track} were right",
    "event.at_risk.silence": "{learner} may need a reminder: no answers in {track} for a while",
    "event.expiring": "{learner}’s certificate ends on {date}: {track}",
    "level.novice": "Novice",
    "level.learner": "Learner",
    "level.practitioner": "Practitioner",
    "level.expert": "Expert",
    "level.master": "Master",
    # -- the headings of a mail about many --
    "heading.level_up": "New levels",
    "heading.badge": "Badges",
    "heading.certificate": "Certificates",
    "heading.at_risk": "At risk",
    "heading.expiring": "Certificates that end soon",
    # -- the rest of it --
    "hello": "Hello {name},",
    "comma": ", ",
    "window.daily": "What your team achieved until {date}",
    "window.weekly": "What your team achieved in the week until {date}",
    "open": "See it in your inbox",
    "open.all": "See all in your inbox",
    "why": "You get this e-mail because you manage a team at {organization}.",
    "unsubscribe": "Unsubscribe from all e-mail",
    # -- the page behind the link --
    "page.title": "E-mail from Cerply",
    "page.ask": "Unsubscribe?",
    "page.ask.more": "We will send no e-mail of any kind about your team at {organization} to {email}. Your inbox in Cerply keeps everything.",
    "page.button": "Unsubscribe from all e-mail",
    "page.done": "You are unsubscribed",
    "page.done.more": "We send no more e-mail about your team at {organization}. What you had set before is remembered.",
    "page.undo": "Send me e-mail again, as before",
    "page.undone": "You are subscribed again",
    "page.undone.more": "E-mail about your team at {organization} comes as it did before.",
    "page.unknown": "This link is not valid",
    "page.unknown.more": "Take the link from the newest e-mail that you have, with all of its characters.",
}
PLURALS = {
    "summary.level_up": {"one": "{n} team member leveled up", "other": "{n} team members leveled up"},
    "summary.badge": {"one": "{n} team member earned badges", "other": "{n} team members earned badges"},
    "summary.certificate": {
        "one": "{n} team member earned a certificate",
        "other": "{n} team members earned certificates",
    },
    "summary.at_risk": {"one": "{n} team member is at risk", "other": "{n} team members are at risk"},
    "summary.expiring": {
        "one": "{n} team member has a certificate that ends soon",
        "other": "{n} team members have certificates that end soon",
    },
    # After another one.
    "further.level_up": {"one": "{n} leveled up", "other": "{n} leveled up"},
    "further.badge": {"one": "{n} earned badges", "other": "{n} earned badges"},
    "further.certificate": {"one": "{n} earned a certificate", "other": "{n} earned certificates"},
    "further.at_risk": {"one": "{n} is at risk", "other": "{n} are at risk"},
    "further.expiring": {"one": "{n} has a certificate that ends soon", "other": "{n} have certificates that end soon"},
    "more": {"one": "and {n} more", "other": "and {n} more"},
}
