"""German."""

SENTENCES = {
    "languages": "Sprachen",
    "skip": "Zum Inhalt springen",
    "sign_in": "Anmelden",
    "email": "E-Mail-Adresse",
    "password": "Passwort",
    "organization": "Organisation",
    "choose": "Bitte wählen",
    "wrong": "E-Mail-Adresse und Passwort passen nicht zusammen.",
    "incomplete": "Geben Sie Ihre E-Mail-Adresse und Ihr Passwort an.",
    "ambiguous": "Mehrere Personen haben diese Adresse und dieses Passwort. Wählen Sie die Organisation, und geben Sie das Passwort noch einmal ein.",
    "sign_out": "Abmelden",
    "sign_out_ask": "Abmelden?",
    "signed_in_as": "Sie sind als {name} angemeldet.",
    "limited": "Zu viele Anfragen",
    "limited_more": "Warten Sie {seconds} Sekunden, und versuchen Sie es dann noch einmal.",
    "unavailable": "Zurzeit nicht verfügbar",
    "unavailable_more": "Bei uns funktioniert etwas nicht. Versuchen Sie es bald noch einmal.",
    "stale": "Die Seite war zu lange offen",
    "stale_more": "Es wurde nichts geändert. Gehen Sie zurück, laden Sie die Seite neu, und wiederholen Sie, was Sie getan haben.",
}
