"""Japanese."""

SENTENCES = {
    "languages": "言語",
    "skip": "本文へ移動",
    "sign_in": "サインイン",
    "email": "メールアドレス",
    "password": "パスワード",
    "organization": "組織",
    "choose": "選択してください",
    "wrong": "メールアドレスとパスワードが一致しません。",
    "incomplete": "メールアドレスとパスワードを入力してください。",
    "ambiguous": "このメールアドレスとパスワードの人が複数います。組織を選び、パスワードをもう一度入力してください。",
    "sign_out": "サインアウト",
    "sign_out_ask": "サインアウトしますか？",
    "signed_in_as": "{name}としてサインインしています。",
    "limited": "リクエストが多すぎます",
    "limited_more": "{seconds}秒待ってから、もう一度お試しください。",
    "unavailable": "現在ご利用いただけません",
    "unavailable_more": "システムに問題が発生しています。しばらくしてからもう一度お試しください。",
    "stale": "ページが長時間開かれたままでした",
    "stale_more": "何も変更されていません。前のページに戻って再読み込みし、もう一度操作してください。",
}
