import time, datetime, calendar
print(time.strftime('%F %T', time.gmtime(10**9)), time.localtime(10**9).tm_hour, time.tzname)
print(datetime.datetime(2024, 3, 31, 4).astimezone(), time.mktime((2024, 10, 27, 2, 30, 0, 0, 0, 1)))
print(datetime.datetime.fromtimestamp(2**31 - 1, datetime.UTC), calendar.timegm((2040, 1, 1, 0, 0, 0)))
a = time.monotonic(); time.sleep(0.02); b = time.monotonic()
print(0.02 <= b - a < 5, time.time() > 1.6e9, time.process_time() > 0, time.clock_getres(time.CLOCK_MONOTONIC) <= 0.01)
