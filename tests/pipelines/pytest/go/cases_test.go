package cases

import (
	"fmt"
	"os"
	"testing"
)

func TestFolder(t *testing.T) {
	if _, err := os.Stat("cases_test.go"); err != nil {
		t.Fatal(err)
	}
}

func TestSums(t *testing.T) {
	t.Run("wrong", func(t *testing.T) { t.Fatal("2 + 2 is not 5") })
}

func TestSumsOfAll(t *testing.T) {}

func TestEngine(t *testing.T) { t.Skip("no engine, today") }

func BenchmarkNothing(b *testing.B) {}

func Example() {
	fmt.Println("five")
	// Output: five
}
