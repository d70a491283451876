package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Reply is one RESP2 reply. `text` belongs to '+', '-' and '$', `number` to ':', `items` to '*'.
type Reply struct {
	kind   byte
	text   string
	number int64
	items  []Reply
	null   bool
}

func errorReply(text string) Reply  { return Reply{kind: '-', text: text} }
func statusReply(text string) Reply { return Reply{kind: '+', text: text} }
func bulkReply(text string) Reply   { return Reply{kind: '$', text: text} }
func nullReply() Reply              { return Reply{kind: '$', null: true} }

func readLine(from *bufio.Reader) (string, error) {
	line, err := from.ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// The payload of a bulk string and its line end.
func readBulk(from *bufio.Reader, length int) (string, error) {
	payload := make([]byte, length+2)
	if _, err := io.ReadFull(from, payload); err != nil {
		return "", err
	}
	return string(payload[:length]), nil
}

func readReply(from *bufio.Reader) (Reply, error) {
	line, err := readLine(from)
	if err != nil || line == "" {
		return Reply{}, orUnexpected(err, line)
	}
	reply := Reply{kind: line[0], text: line[1:]}
	if reply.kind == '+' || reply.kind == '-' {
		return reply, nil
	}
	reply.number, err = strconv.ParseInt(line[1:], 10, 64)
	if err != nil {
		return Reply{}, err
	}
	if reply.kind == ':' {
		return reply, nil
	}
	if reply.number < 0 {
		reply.null = true
		return reply, nil
	}
	switch reply.kind {
	case '$':
		reply.text, err = readBulk(from, int(reply.number))
	case '*':
		err = readItems(from, &reply)
	default:
		err = orUnexpected(nil, line)
	}
	return reply, err
}

func readItems(from *bufio.Reader, reply *Reply) error {
	reply.items = make([]Reply, reply.number)
	for i := range reply.items {
		item, err := readReply(from)
		if err != nil {
			return err
		}
		reply.items[i] = item
	}
	return nil
}

func orUnexpected(err error, line string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("unexpected reply %q", line)
}

// A client's command: an array of bulk strings, or an inline command (a line of words).
func readCommand(from *bufio.Reader) ([]string, error) {
	line, err := readLine(from)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(line, "*") {
		return strings.Fields(line), nil
	}
	count, err := strconv.Atoi(line[1:])
	if err != nil || count < 0 {
		return nil, orUnexpected(err, line)
	}
	words := make([]string, count)
	for i := range words {
		word, err := readReply(from)
		if err != nil {
			return nil, err
		}
		words[i] = word.text
	}
	return words, nil
}

func writeCommand(to *bufio.Writer, words []string) {
	fmt.Fprintf(to, "*%d\r\n", len(words))
	for _, word := range words {
		writeBulk(to, word)
	}
}

func writeBulk(to *bufio.Writer, text string) {
	to.WriteByte('$')
	to.WriteString(strconv.Itoa(len(text)))
	to.WriteString("\r\n")
	to.WriteString(text)
	to.WriteString("\r\n")
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

func writeReply(to *bufio.Writer, reply Reply) {
	switch {
	case reply.null:
		to.WriteByte(reply.kind)
		to.WriteString("-1\r\n")
	case reply.kind == '$':
		writeBulk(to, reply.text)
	case reply.kind == ':':
		fmt.Fprintf(to, ":%d\r\n", reply.number)
	case reply.kind == '*':
		fmt.Fprintf(to, "*%d\r\n", len(reply.items))
		for _, item := range reply.items {
			writeReply(to, item)
		}
	default:
		fmt.Fprintf(to, "%c%s\r\n", reply.kind, oneLine.Replace(reply.text))
	}
}
