//! A write that the tree does not allow ends with a conflict, and changes nothing.

use crate::support::on_each_etcd;

#[test]
fn a_path_is_never_both_file_and_directory() {
    on_each_etcd("refused writes", |kvfs, _| {
        kvfs.put("file", b"x");
        kvfs.put("dir/sub/file", b"x");
        kvfs.run(&["put", "file/below"])
            .failed(4, &["put \"file/below\": \"file\": not a directory", "choose another path"]);
        kvfs.run(&["put", "file/far/below"]).failed(4, &["\"file\": not a directory"]);
        kvfs.run(&["put", "dir"]).failed(4, &["put \"dir\": is a directory", "name a file"]);
        kvfs.run(&["put", "dir/sub/"]).failed(4, &["put \"dir/sub/\": is a directory"]);
        kvfs.run(&["get", "dir"]).failed(4, &["get \"dir\": is a directory", "kvfs ls"]);
        kvfs.run(&["ls", "file"]).failed(4, &["ls \"file\": not a directory", "kvfs get"]);
        kvfs.run(&["put", "../x"]).failed(2, &["invalid path"]);
        kvfs.run(&["put", ""]).failed(2, &["invalid path"]);
        kvfs.run_with_input(&["put", "large"], &vec![0; 1_572_865]).failed(2, &["too large"]);
        kvfs.run(&["put", "missing", "no such file"]).failed(2, &["does not exist"]);
        assert_eq!(kvfs.ok(&["ls", "-r"]), "dir/\ndir/sub/\ndir/sub/file\nfile\n");
        assert_eq!(kvfs.ok(&["get", "file"]), "x");
    });
}
