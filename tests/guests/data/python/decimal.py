from decimal import *
getcontext().prec = 60
print(Decimal(2).sqrt(), Decimal(1) / 7, Decimal(10).ln(), Decimal('1.1').exp())
from fractions import Fraction
print(sum(Fraction(1, n) for n in range(1, 30)))
getcontext().traps[Inexact] = True
try:
    Decimal(1) / 3
except Inexact:
    print('inexact')
