// A server for tests that runs scripts in GopherLua and passes every other command on to a real
// Redis or Valkey. Upstash's error texts point to GopherLua as its Lua; this server tries our
// scripts there.
//
// Limits: database 0 only, no EVAL_RO, no functions, no scripts inside MULTI, no blocking commands, no SCRIPT KILL.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
)

func main() {
	listen := flag.String("listen", "", "the unix socket to serve")
	backend := flag.String("backend", "", "the unix socket of the real server")
	flag.Parse()
	scripts, err := newScripts(*backend)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", *listen)
	if err != nil {
		log.Fatal(err)
	}
	go endWithParent()
	fmt.Println("ready")
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection, *backend, scripts)
	}
}

// The parent holds the other end of standard input, so its death ends this process however it dies.
func endWithParent() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}
