"""`make demo`: two stories told against the running platform through its gateway: one visit, and one crisis.

Each run brings people of its own into the demo tenant, so they can be told as often as one likes.
"""

from local_stack.demo_crisis import tell_of_a_crisis
from local_stack.demo_visit import tell_of_a_visit
from local_stack.seed import demo_person
from local_stack.stack import Stack
from local_stack.story import Story
from local_stack.tail import Tail


def demo(stack: Stack) -> int:
    """Tell both stories; StackError says where one broke off."""
    print(f"The story of one visit, told through {stack.gateway.url}. Milliseconds run until an event can be read on Kafka.\n")
    with Tail(stack.kafka.bootstrap) as tail:
        story, admin = Story(stack.gateway.url, tail), demo_person(stack, "administrator")
        therapist, patient = tell_of_a_visit(story, admin)
        print("\nThe story of one crisis, over the sockets of those who are in it.\n")
        tell_of_a_crisis(story, stack, therapist=therapist, patient=patient)
        therapist.api.change("PATCH", "/api/therapists/me", {"acceptsNewPatients": False})
    print(f"\nOne visit, one invoice; one crisis, answered. Mail and more: {stack.mail.url}, {stack.gateway.url}/docs")
    print("Next: make demo once more, or make logs SERVICE=ml-scoring-worker")
    return 0
