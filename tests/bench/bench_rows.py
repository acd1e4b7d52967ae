"""Rows of a run and of an oracle, compared whatever their order."""
import json


def documents(path):
    with open(path) as file:
        yield from map(json.loads, file)


class Rows:
    """Rows in any order, as a number: how many, and the sum of their hashes."""

    def __init__(self, rows):
        self.count = self.sum = 0
        for row in rows:
            self.count += 1
            self.sum = (self.sum + hash(row)) % 2**64

    def __eq__(self, other):
        return (self.count, self.sum) == (other.count, other.sum)

    def __repr__(self):
        return f"{self.count} rows that sum up to {self.sum:016x}"


def picked(rows, *names):
    return Rows(tuple(row[name] for name in names) for row in rows)
