"""French."""

SENTENCES = {
    "languages": "Langues",
    "skip": "Aller au contenu",
    "sign_in": "Se connecter",
    "email": "Adresse e-mail",
    "password": "Mot de passe",
    "organization": "Organisation",
    "choose": "Choisissez",
    "wrong": "L’adresse e-mail et le mot de passe ne correspondent pas.",
    "incomplete": "Indiquez votre adresse e-mail et votre mot de passe.",
    "ambiguous": "Plusieurs personnes ont cette adresse et ce mot de passe. Choisissez l’organisation, puis saisissez de nouveau le mot de passe.",
    "sign_out": "Se déconnecter",
    "sign_out_ask": "Se déconnecter ?",
    "signed_in_as": "Vous êtes connecté en tant que {name}.",
    "limited": "Trop de demandes",
    "limited_more": "Attendez {seconds} secondes, puis réessayez.",
    "unavailable": "Indisponible pour le moment",
    "unavailable_more": "Quelque chose ne fonctionne pas de notre côté. Réessayez bientôt.",
    "stale": "La page est restée ouverte trop longtemps",
    "stale_more": "Rien n’a été modifié. Revenez en arrière, rechargez la page et recommencez.",
}
