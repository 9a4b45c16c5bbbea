"""Spanish."""

SENTENCES = {
    "languages": "Idiomas",
    "skip": "Ir al contenido",
    "sign_in": "Iniciar sesión",
    "email": "Correo electrónico",
    "password": "Contraseña",
    "organization": "Organización",
    "choose": "Elija una",
    "wrong": "El correo electrónico y la contraseña no coinciden.",
    "incomplete": "Indique su correo electrónico y su contraseña.",
    "ambiguous": "Varias personas tienen este correo y esta contraseña. Elija la organización y vuelva a escribir la contraseña.",
    "sign_out": "Cerrar sesión",
    "sign_out_ask": "¿Cerrar sesión?",
    "signed_in_as": "Ha iniciado sesión como {name}.",
    "limited": "Demasiadas solicitudes",
    "limited_more": "Espere {seconds} segundos y vuelva a intentarlo.",
    "unavailable": "No disponible en este momento",
    "unavailable_more": "Algo no funciona en nuestro sistema. Vuelva a intentarlo pronto.",
    "stale": "La página estuvo abierta demasiado tiempo",
    "stale_more": "No se ha cambiado nada. Vuelva atrás, recargue la página y repita lo que hizo.",
}
