"""For programs that tests start and interrupt."""

import signal


def hear():
    """Be interruptible, even where a shell started the tests with interrupts ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
