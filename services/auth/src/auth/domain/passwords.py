"""Which passwords are good enough: long, not the own address, not one character over and over (NIST SP 800-63B)."""

from typing import NewType
from unicodedata import normalize

from auth.domain.outcomes import WeakPassword
from auth.domain.users import EmailAddress

Password = NewType("Password", str)
PasswordHash = NewType("PasswordHash", str)

MIN_LENGTH = 12
# Long enough for any passphrase, short enough that hashing one stays cheap.
MAX_LENGTH = 256
MIN_DIFFERENT = 5


def choose_password(text: str, *, email: EmailAddress) -> Password:
    """Accept a new password in the form in which it is hashed (NFKC), or say what is wrong with it."""
    password = normalise_password(text)
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise WeakPassword(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    if len(set(password)) < MIN_DIFFERENT:
        raise WeakPassword(f"A password has at least {MIN_DIFFERENT} different characters.")
    local_part = email.partition("@")[0]
    if email in password.lower() or password.lower() in {local_part, local_part * 2}:
        raise WeakPassword("A password does not repeat the e-mail address.")
    return password


def normalise_password(text: str) -> Password:
    """Make the same characters typed on different keyboards the same password."""
    return Password(normalize("NFKC", text))
