package main

import (
	"bufio"
	"net"
)

// Backend is one connection to the real server.
type Backend struct {
	connection net.Conn
	from       *bufio.Reader
	to         *bufio.Writer
}

func dial(path string) (*Backend, error) {
	connection, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	return &Backend{connection, bufio.NewReaderSize(connection, 1<<16), bufio.NewWriterSize(connection, 1<<16)}, nil
}

func (backend *Backend) execute(words []string) (Reply, error) {
	writeCommand(backend.to, words)
	if err := backend.to.Flush(); err != nil {
		return Reply{}, err
	}
	return readReply(backend.from)
}

func (backend *Backend) close() { backend.connection.Close() }
