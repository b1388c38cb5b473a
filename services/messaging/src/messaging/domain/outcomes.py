"""Every business refusal of this service, one class for each outcome."""

from __future__ import annotations

from service_kit.errors import Problem


class ConversationNotFound(Problem):
    """No such conversation, or one in which the caller takes no part: the answer is the same."""

    slug, status, title = "conversation-not-found", 404, "Conversation not found"


class MessageNotFound(Problem):
    """No such message, or one of a conversation in which the caller takes no part: the answer is the same."""

    slug, status, title = "message-not-found", 404, "Message not found"


class MemberNotFound(Problem):
    """The person takes no part in the conversation."""

    slug, status, title = "member-not-found", 404, "Member not found"


class KeyNotFound(Problem):
    """No such key of no such conversation."""

    slug, status, title = "key-not-found", 404, "Key not found"


class KeyDestroyed(Problem):
    """The conversation's keys are gone for good: nothing can be read or written in it any more."""

    slug, status, title = "key-destroyed", 410, "The keys of the conversation were destroyed"


class NoCareRelationship(Problem):
    """Patient and therapist have no appointment together, or one of them cannot take part; the answer is the same."""

    slug, status, title = "no-care-relationship", 409, "There is no care relationship between these people"


class CannotTakePart(Problem):
    """The person may not join: no account that is in use, or neither a therapist nor the patient."""

    slug, status, title = "cannot-take-part", 409, "This person cannot take part in the conversation"


class TooManyMembers(Problem):
    """The conversation has as many members as allowed."""

    slug, status, title = "too-many-members", 409, "No more people can take part in the conversation"


class NotACareTeam(Problem):
    """A conversation of two stays one of two."""

    slug, status, title = "not-a-care-team", 409, "People are added to and taken out of care teams only"


class LastTherapist(Problem):
    """Whatever the patient writes must have a reader: the last therapist leaves after the patient."""

    slug, status, title = "last-therapist", 409, "The last therapist cannot leave before the patient"


class NotTheAuthor(Problem):
    """A message is changed and taken back by its author alone."""

    slug, status, title = "not-the-author", 403, "Only the author can do this"


class MessageDeleted(Problem):
    """The message was taken back and stays so."""

    slug, status, title = "message-already-deleted", 409, "The message was deleted"


class MessageIdTaken(Problem):
    """Another message has this id already."""

    slug, status, title = "message-id-taken", 409, "The id belongs to another message"


class ReplyTargetNotFound(Problem):
    """The message that is answered is not one of this conversation."""

    slug, status, title = "reply-target-not-found", 422, "The message to reply to is not in this conversation"
