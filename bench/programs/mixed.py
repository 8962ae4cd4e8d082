"""A mixed Python load: dictionaries, strings, sorting, classes, regular expressions, JSON."""

import hashlib
import json
import re
import sys
from collections.abc import Iterator


class Account:
    def __init__(self, name: str, balance: int) -> None:
        self.name = name
        self.balance = balance

    def pay(self, other: "Account", amount: int) -> bool:
        if self.balance >= amount:
            self.balance -= amount
            other.balance += amount
            return True
        return False


def randoms(seed: int) -> Iterator[int]:
    while True:
        seed = (seed * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        yield seed >> 33


def main() -> None:
    digest = hashlib.sha256()
    numbers = randoms(1)
    for _ in range(int(sys.argv[1])):
        words = [f"{next(numbers):x}" for _ in range(3000)]
        counts: dict[str, int] = {}
        for word in words:
            for letter in word:
                counts[letter] = counts.get(letter, 0) + 1
        if sum(counts.values()) != sum(map(len, words)):
            raise SystemExit("letters were lost")
        accounts = [Account(word, 1000) for word in words[:100]]
        paid = 0
        for amount in range(10000):
            paid += accounts[amount * 7 % 100].pay(accounts[amount * 13 % 100], amount % 90)
        if sum(account.balance for account in accounts) != 100_000:
            raise SystemExit("money was lost")
        text = json.dumps({"words": sorted(words), "counts": counts, "paid": paid}, sort_keys=True)
        if json.loads(text)["paid"] != paid:
            raise SystemExit("json lost a number")
        found = re.findall(r"\b([a-f]+)(\d{2,4})\b", " ".join(words))
        primes = [n for n in range(2, 1500) if all(n % d for d in range(2, int(n**0.5) + 1))]
        digest.update(repr((text, found, primes[-1], len(primes))).encode())
    print(digest.hexdigest())


main()
