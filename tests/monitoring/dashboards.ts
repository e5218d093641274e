// Copyright (c) 2026, The kernelops.memfrag authors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// What a dashboard of ours has to be, by the types that Grafana publishes in @grafana/schema: the dashboard, and of each kind of panel the
// options and the fields. Of a query to Prometheus that package has no type; ours is that of Grafana's editor. The test puts the JSON below.

import type {
  AnnotationQuery, Dashboard, DataQuery, FieldConfig, Panel, RowPanel, TableFieldOptions, VariableModel,
} from '@grafana/schema';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as TableOptions } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type {
  FieldConfig as BandFields, Options as BandOptions,
} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type {
  FieldConfig as LineFields, Options as LineOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// An enum of strings is, in JSON, its values.
type Plain<T> =
  T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[]
  : T extends object ? { [K in keyof T]: Plain<T[K]> }
  : T;

interface Target extends Plain<DataQuery> {
  expr: string;
  range: boolean;
  instant: boolean;
  format?: 'table' | 'time_series' | 'heatmap';
  legendFormat?: string;
  editorMode: 'code' | 'builder';
}

interface Fields<Custom> {
  defaults: Omit<Plain<FieldConfig>, 'custom'> & { custom?: Plain<Custom> };
  overrides: { matcher: { id: string; options?: unknown }; properties: { id: string; value?: unknown }[] }[];
}

type Of<Kind, Options, Custom> = Omit<Plain<Panel>, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Kind;
  title: string;
  options: Plain<Options>;
  fieldConfig: Fields<Custom>;
  targets: Target[];
};

type AnyPanel =
  | Of<'stat', StatOptions, {}>
  | Of<'table', TableOptions, Partial<TableFieldOptions>>
  | Of<'state-timeline', BandOptions, BandFields>
  | Of<'timeseries', LineOptions, LineFields>
  | (Omit<Plain<RowPanel>, 'panels'> & { panels: [] });

export type Board = Omit<Plain<Dashboard>, 'panels' | 'annotations' | 'templating'> & {
  panels: AnyPanel[];
  annotations: { list: (Plain<AnnotationQuery> & { expr: string; titleFormat: string })[] };
  templating: { list: Plain<VariableModel>[] };
};
