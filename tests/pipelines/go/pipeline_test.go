package pipeline

import (
	"runtime"
	"testing"
)

func TestMachine(t *testing.T) {
	if runtime.GOARCH != "arm64" && runtime.GOARCH != "arm" {
		t.Fatal(runtime.GOARCH)
	}
}

func TestChannels(t *testing.T) {
	words := make(chan string)
	for i := 0; i < 4; i++ {
		go func() { words <- "x" }()
	}
	for i := 0; i < 4; i++ {
		<-words
	}
}
