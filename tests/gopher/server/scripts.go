package main

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
)

// Scripts is the script cache and the one interpreter. A script holds `running` for itself; other
// commands share it, so a script is atomic.
type Scripts struct {
	running     sync.RWMutex
	texts       map[string]string
	interpreter *Interpreter
	backend     *Backend
}

func newScripts(path string) (*Scripts, error) {
	backend, err := dial(path)
	if err != nil {
		return nil, err
	}
	return &Scripts{texts: map[string]string{}, interpreter: newInterpreter(backend), backend: backend}, nil
}

func (scripts *Scripts) execute(name string, words []string) (Reply, error) {
	scripts.running.Lock()
	defer scripts.running.Unlock()
	if name == "SCRIPT" {
		return scripts.manage(words), nil
	}
	if len(words) < 3 {
		return wrongArity(words[0]), nil
	}
	keys, args, problem := keysAndArgs(words[2:])
	if problem != "" {
		return errorReply("ERR " + problem), nil
	}
	digest := strings.ToLower(words[1])
	if name == "EVAL" {
		var problem string
		if digest, problem = scripts.load(words[1]); problem != "" {
			return errorReply(problem), nil
		}
	} else if _, known := scripts.texts[digest]; !known {
		return errorReply("NOSCRIPT No matching script. Please use EVAL."), nil
	}
	return scripts.run(digest, keys, args)
}

// A Go panic (a full registry) leaves an interpreter of unknown state behind, so the next script gets a new one.
func (scripts *Scripts) run(digest string, keys, args []string) (Reply, error) {
	in := scripts.interpreter
	reply := in.run(digest, scripts.texts[digest], keys, args)
	if in.damaged {
		in.state.Close()
		scripts.interpreter = newInterpreter(scripts.backend)
	}
	return reply, in.lost
}

func (scripts *Scripts) manage(words []string) Reply {
	verb := ""
	if len(words) > 1 {
		verb = strings.ToUpper(words[1])
	}
	switch {
	case verb == "LOAD" && len(words) == 3:
		digest, problem := scripts.load(words[2])
		if problem != "" {
			return errorReply(problem)
		}
		return bulkReply(digest)
	case verb == "EXISTS" && len(words) > 2:
		return scripts.exist(words[2:])
	case verb == "FLUSH":
		scripts.texts = map[string]string{}
		scripts.interpreter.forget()
		return statusReply("OK")
	case verb == "KILL":
		return errorReply("NOTBUSY No scripts in execution right now.")
	}
	return wrongArity("script|" + verb)
}

func (scripts *Scripts) exist(digests []string) Reply {
	found := Reply{kind: '*'}
	for _, digest := range digests {
		known := Reply{kind: ':'}
		if _, ok := scripts.texts[strings.ToLower(digest)]; ok {
			known.number = 1
		}
		found.items = append(found.items, known)
	}
	return found
}

// The script's SHA-1, or the error that its compilation raised.
func (scripts *Scripts) load(text string) (string, string) {
	sum := sha1.Sum([]byte(text))
	digest := hex.EncodeToString(sum[:])
	if _, known := scripts.texts[digest]; known {
		return digest, ""
	}
	if problem := scripts.interpreter.compile(digest, text); problem != nil {
		return "", "ERR Error compiling script (new function): " + problem.Error()
	}
	scripts.texts[digest] = text
	return digest, ""
}

func keysAndArgs(words []string) ([]string, []string, string) {
	count, err := strconv.Atoi(words[0])
	switch {
	case err != nil:
		return nil, nil, "value is not an integer or out of range"
	case count < 0:
		return nil, nil, "Number of keys can't be negative"
	case count > len(words)-1:
		return nil, nil, "Number of keys can't be greater than number of args"
	}
	return words[1 : count+1], words[count+1:], ""
}

func wrongArity(name string) Reply {
	return errorReply("ERR wrong number of arguments for '" + strings.ToLower(name) + "' command")
}
