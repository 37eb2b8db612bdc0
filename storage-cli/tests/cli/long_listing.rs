//! `ls -l` shows a table with one line for each entry.

use crate::support::on_each_etcd;

#[test]
fn columns_are_aligned() {
    on_each_etcd("ls -l", |kvfs, _| {
        kvfs.put("dir/file", &[0; 1_000]);
        kvfs.put("name with spaces ä", b"");
        let listing = kvfs.ok(&["ls", "-l"]);
        let lines: Vec<_> = listing.lines().collect();
        assert_eq!(lines.len(), 2, "{listing}");
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["dir", "-", "-", "-", "dir/"]);
        let fields: Vec<_> = lines[1].split_whitespace().collect();
        assert_eq!((fields[0], fields[1]), ("file", "0"));
        assert!(fields[2].len() == 20 && fields[2].ends_with('Z'), "{listing}");
        assert!(lines[1].ends_with(" name with spaces ä"), "{listing}");
        assert_eq!(lines[0].find("dir/"), lines[1].find("name"), "{listing}");
        assert!(kvfs.ok(&["ls", "-l", "dir"]).contains(" 1000 "));
    });
}
