// Catch2 of both major versions: names that a test specification has to quote, sections, a skipped case.
#if CATCH == 2
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#else
#include <catch_amalgamated.hpp>
#endif

#include <cstdio>
#include <vector>

TEST_CASE("a vector, of some [length]", "[vector]")
{
    std::vector<int> numbers(3);
    SECTION("grows") { numbers.push_back(1); REQUIRE(numbers.size() == 4); }
    SECTION("shrinks") { numbers.clear(); REQUIRE(numbers.empty()); }
}

TEST_CASE("*starred* \"and\" \\ back") { CHECK(sizeof(void *) == WORD); }

TEST_CASE("sums are wrong") { CHECK(2 + 2 == 5); }

TEST_CASE("hidden", "[.]") { FAIL(); }

TEMPLATE_TEST_CASE("sizes", "", char, long) { CHECK(sizeof(TestType) > 0); }

#if CATCH > 2
TEST_CASE("no engine") { SKIP("no engine, today"); }
#endif
