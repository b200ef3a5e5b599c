// A build waits for disks and for processes to start: two at a time use the machine better. Each test has its own project.
[assembly: Parallelize(Workers = 2, Scope = ExecutionScope.ClassLevel)]
