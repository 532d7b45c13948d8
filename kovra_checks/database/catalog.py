"""The catalog of a database as `kind schema.name` -> definition, spelt by the server itself.

Members of extensions are left out: extensions are compared by name and version. Owners and grants are left out too:
a managed target has roles of its own, so they are never restored.
"""

from __future__ import annotations

from collections.abc import Mapping

from kovra_checks.database.session import Session

__all__ = ["read_catalog"]

# %(s)s is the list of schemas. Each statement returns name and definition.
STATEMENTS: Mapping[str, str] = {
    "schema": "SELECT quote_ident(n.nspname), '' FROM pg_namespace n WHERE n.nspname = ANY(%(s)s)",
    "table": """
        SELECT format('%%I.%%I', n.nspname, c.relname), concat_ws('; ',
            CASE c.relkind WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(c.oid) WHEN 'f' THEN 'foreign' END,
            CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
            (SELECT 'partition of ' || i.inhparent::regclass || ' ' || coalesce(pg_get_expr(c.relpartbound, c.oid), '')
               FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1),
            CASE WHEN c.relrowsecurity THEN 'row security' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END,
            CASE WHEN c.relreplident <> 'd' THEN 'replica identity ' || c.relreplident::text END,
            array_to_string(c.reloptions, ', '))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%(s)s) AND c.relkind IN ('r', 'p', 'f')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                          AND d.deptype = 'e')""",
    "column": """
        SELECT format('%%I.%%I.%%I', n.nspname, c.relname, a.attname), concat_ws(' ',
            format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::regcollation END,
            CASE WHEN a.attnotnull THEN 'not null' END,
            CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
            CASE WHEN a.attgenerated <> '' THEN 'generated' ELSE CASE WHEN f.oid IS NOT NULL THEN 'default' END END,
            pg_get_expr(f.adbin, f.adrelid))
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef f ON f.adrelid = c.oid AND f.adnum = a.attnum
        WHERE n.nspname = ANY(%(s)s) AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND a.attnum > 0
          AND NOT a.attisdropped
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                          AND d.deptype = 'e')""",
    "constraint": """
        SELECT coalesce(k.conrelid::regclass::text, format_type(k.contypid, NULL)) || ' ' || quote_ident(k.conname),
            pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' not validated' END
        FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
        LEFT JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_type t ON t.oid = k.contypid
        WHERE n.nspname = ANY(%(s)s) AND k.contype NOT IN ('t', 'n') AND (c.oid IS NOT NULL OR t.oid IS NOT NULL)
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND d.objid IN (c.oid, t.oid))""",
    "index": """
        SELECT format('%%I.%%I', n.nspname, x.relname),
            pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ' invalid' END
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
        WHERE n.nspname = ANY(%(s)s)
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = i.indrelid AND d.deptype = 'e')""",
    "view": """
        SELECT format('%%I.%%I', c.schemaname, c.viewname), c.definition FROM pg_views c
        WHERE c.schemaname = ANY(%(s)s)
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e' AND d.classid = 'pg_class'::regclass
                          AND d.objid = format('%%I.%%I', c.schemaname, c.viewname)::regclass)""",
    "materialized-view": """
        SELECT format('%%I.%%I', schemaname, matviewname),
            definition || CASE WHEN ispopulated THEN '' ELSE ' not populated' END
        FROM pg_matviews WHERE schemaname = ANY(%(s)s)""",
    "function": """
        SELECT format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
            CASE p.prokind WHEN 'a' THEN 'aggregate ' || format_type(p.prorettype, NULL)
                           ELSE pg_get_functiondef(p.oid) END
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = ANY(%(s)s)
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                          AND d.deptype IN ('e', 'i'))""",
    "trigger": """
        SELECT t.tgrelid::regclass || ' ' || quote_ident(t.tgname), pg_get_triggerdef(t.oid) || CASE t.tgenabled
            WHEN 'O' THEN '' WHEN 'D' THEN ' disabled' WHEN 'R' THEN ' on replica' ELSE ' always' END
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%(s)s) AND NOT t.tgisinternal""",
    "type": """
        SELECT format('%%I.%%I', n.nspname, t.typname), CASE t.typtype
            WHEN 'e' THEN 'enum ' || (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                                      FROM pg_enum WHERE enumtypid = t.oid)
            WHEN 'd' THEN concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod),
                                    CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault)
            WHEN 'r' THEN 'range ' || (SELECT rngsubtype::regtype::text FROM pg_range WHERE rngtypid = t.oid)
            ELSE 'composite' END
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
        WHERE n.nspname = ANY(%(s)s) AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid
                          AND d.deptype = 'e')""",
    "sequence": """
        SELECT format('%%I.%%I', schemaname, sequencename), format('%%s start %%s step %%s from %%s to %%s%%s',
            data_type, start_value, increment_by, min_value, max_value, CASE WHEN cycle THEN ' cycle' ELSE '' END)
        FROM pg_sequences WHERE schemaname = ANY(%(s)s)""",
    "policy": """
        SELECT format('%%I.%%I %%I', schemaname, tablename, policyname),
            concat_ws(' ', permissive, cmd, 'using ' || qual, 'check ' || with_check)
        FROM pg_policies WHERE schemaname = ANY(%(s)s)""",
    "rule": """
        SELECT format('%%I.%%I %%I', schemaname, tablename, rulename), definition
        FROM pg_rules WHERE schemaname = ANY(%(s)s)""",
    "statistics": """
        SELECT format('%%I.%%I', n.nspname, e.stxname), pg_get_statisticsobjdef(e.oid)
        FROM pg_statistic_ext e JOIN pg_namespace n ON n.oid = e.stxnamespace WHERE n.nspname = ANY(%(s)s)""",
    "comment": """
        SELECT concat_ws(' ', d.objoid::regclass, quote_ident(a.attname)), d.description
        FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
        WHERE d.classoid = 'pg_class'::regclass AND n.nspname = ANY(%(s)s)""",
}


def read_catalog(connection: Session, schemas: list[str]) -> dict[str, str]:
    """All objects of *schemas*. The session must print qualified names (`session(qualified=True)`)."""
    objects: dict[str, str] = {}
    with connection.transaction():
        for kind, statement in STATEMENTS.items():
            for name, definition in connection.execute(statement, {"s": schemas}):
                objects[f"{kind} {name}"] = " ".join(str(definition).split())
    return dict(sorted(objects.items()))
