"""A stand-in for LeRobot 0.6.1: the names, arguments and checks that a third-party reward model meets.

Written after reading the wheel; where LeRobot is installed, the tests take the real one instead.
"""
